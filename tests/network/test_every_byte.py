"""Every byte of a run is explained: the closure is 0, also where a peer is killed."""

import json
import os
import signal

import pytest
from launching import SMALL, asked, journal, launch, launcher, topology, wait_for

from prisam_p2p.system import sock_diag

pytestmark = pytest.mark.network

FOUR = SMALL.replace("count = 6", "count = 4")
SLOW = """
description = "a device that sends slowly"
source = "none: for tests"
up_mbit_s = 16
"""


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--wire-dtype", "float16"),
        ("--pull", "overlap", "--prune-ratio", "0.5"),
        ("--similarity-layers", "last-2"),
    ],
    ids=lambda options: " ".join(options) or "as it is",
)
def test_every_byte_is_explained(tmp_path, options):
    run = tmp_path / "run"
    code, _, err = launch(topology(tmp_path, FOUR), "--run-dir", run, "--quiet", *options)
    assert (code, err) == (0, "")
    closure = summary_of(run)["closure"]
    assert closure["source"] == "kernel"
    assert closure["connections"] >= 4 * 3
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["torn_bytes"] == closure["unsent_bytes"] == closure["in_flight_bytes"] == 0


def test_float16_halves_the_bytes(tmp_path):
    sent = {}
    for dtype in ("float32", "float16"):
        run = tmp_path / dtype
        code, _, err = launch(
            topology(tmp_path, FOUR), "--run-dir", run, "--quiet", "--wire-dtype", dtype
        )
        assert (code, err) == (0, "")
        sent[dtype] = summary_of(run)["bytes"]["weights"]["payload"]
    assert 0.5 <= sent["float16"] / sent["float32"] < 0.51  # counters keep their width


def test_a_donor_killed_in_the_middle_of_a_pull_leaves_nothing_unexplained(tmp_path):
    text = FOUR.replace('["fast"]', '["slow"]').replace("groups = 2", "groups = 1")
    net, run = topology(tmp_path, text, slow=SLOW), tmp_path / "run"
    options = ("--width", "4", "--chunk-kib", "256", "--rounds", "1", "--reconnect-timeout-s", "1")
    process = launcher(net, "--run-dir", run, "--quiet", *options)
    wait_for("a first journal", lambda: journal(run, "p00"))
    donor = journal(run, "p00")[0]

    def gives():
        from_donor = [s for s in sock_diag.dump() if s.ends[0] == (donor["address"], donor["port"])]
        return any(each.info.sent > 500_000 for each in from_donor)

    wait_for("half a transfer", gives)
    os.kill(donor["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, out + err
    assert "p00 died with -9" in err
    lost = [
        x for p in ("p01", "p02", "p03") for x in journal(run, p) if x["record"] == "pull_failed"
    ]
    assert any((x["donor"], x["reason"]) == ("p00", "connection closed") for x in lost)
    closure = summary_of(run)["closure"]
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    code, out = asked("bytes", run, "--format", "json")
    assert code == 0, out
