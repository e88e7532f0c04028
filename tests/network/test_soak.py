"""A soak of one run: it is judged, leaves nothing behind, and keeps nothing that was good."""

import json

import pytest
from launching import SMALL, prisam, topology

pytestmark = pytest.mark.network


def test_a_soak_of_one_run(tmp_path):
    out = tmp_path / "soak"
    net = topology(tmp_path, SMALL)
    code, text = prisam(
        "soak", net, "--minutes", "0", "--rounds", "4", "--network", "loopback", "--out", out,
        "--format", "json",
    )  # fmt: skip
    assert code == 0, text
    told, _ = json.JSONDecoder().raw_decode(text[text.index("{\n") :])
    assert (told["runs"], told["good"], told["hangs"], told["leaks"]) == (1, 1, 0, 0)
    assert told["unexplained_bytes"] == 0
    assert sum(told["faults_fired"].values()) >= 1
    assert told["connections"] > 0
    assert told["not_judged"]["leaked descriptors and threads"] == 1  # one run has none before it
    assert "final states" not in told["not_judged"]
    assert [path.name for path in out.iterdir()] == ["cycles.jsonl"]
