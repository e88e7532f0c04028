"""Every baseline on six real peers, and what each of them sends (`local`: test_run.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launching import SMALL, asked, journal, launch, patient, topology
from named_time import named_shares

from prisam_p2p.core.bits import packed_size

pytestmark = pytest.mark.network

PEERS, ROUNDS, GROUP = 6, 2, 3
FAN_IN = GROUP - 1
ALL = PEERS - 1
DENSE = {"fedavg-random": FAN_IN, "oracle": FAN_IN, "d-psgd": ALL, "d-psgd-ft": ALL}
DENSE |= dict.fromkeys(("fedavg-ft", "fedrep", "ditto", "ifca", "facade", "dac"), FAN_IN)
FINE_TUNED, CHOSEN = {"d-psgd-ft", "fedavg-ft"}, {"ifca", "facade"}
DEPLOYS = {each: {"after_aggregation", "after_fine_tuning"} for each in FINE_TUNED}
DEPLOYS["d-psgd"] = {"after_aggregation"}
PRUNED = {"prisam-random": FAN_IN, "dis-pfl": FAN_IN, "oracle-pruned": FAN_IN}
TINY = [
    "--rounds", ROUNDS, "--epochs", 1, "--warmup-epochs", 1, "--prune-ratio", 0.5,
    "--images-per-peer", 16, "--test-images-per-peer", 40, "--quiet",
]  # fmt: skip


def run_of(folder: Path, algorithm: str, *options: object) -> tuple[Path, dict]:
    run = folder / algorithm
    file = topology(folder, patient(SMALL))
    code, _, err = launch(file, *TINY, "--algorithm", algorithm, *options, "--run-dir", run)
    assert code == 0, err  # a byte that is not explained ends with another code
    return run, json.loads((run / "summary.json").read_text())


def records(run: Path, kind: str) -> list[dict]:
    peers = json.loads((run / "plan.json").read_text())["peers"]
    return [line for peer in peers for line in journal(run, peer) if line["record"] == kind]


def n_bytes_of(run: Path) -> tuple[int, int]:
    """Return the bytes of the dense and of the slim network."""
    plan = json.loads((run / "plan.json").read_text())
    return plan["model"]["n_bytes"], plan["peers"]["p00"]["n_bytes"]


def n_parameters(run: Path) -> int:
    return json.loads((run / "plan.json").read_text())["model"]["parameters"]


@pytest.mark.parametrize("algorithm", [*DENSE, *PRUNED, "exact-similarity", "dis-pfl-erk", "pens"])
def test_every_baseline_runs_and_sends_what_it_should(tmp_path, algorithm):
    run, summary = run_of(tmp_path, algorithm)
    assert summary["status"] == "completed"
    assert {peer["state"] for peer in summary["peers"].values()} == {"completed"}
    assert summary["closure"]["unexplained_bytes"] == 0
    n_evaluated = PEERS * (ROUNDS * 2 + (algorithm in FINE_TUNED))
    assert len(records(run, "evaluated")) == n_evaluated
    assert min(named_shares(run).values()) >= 0.97
    pulled, dense, slim = records(run, "pulled"), *n_bytes_of(run)
    weights, masks = summary["bytes"]["weights"], summary["bytes"]["mask"]
    assert weights["payload"] == sum(line["n_bytes"] for line in pulled)
    assert masks["messages"] == PEERS * ALL * ROUNDS
    assert (masks["payload"] == 0) == (algorithm not in {"exact-similarity", *CHOSEN})

    if algorithm in CHOSEN:  # k = 2 bits are one byte
        assert 0 < masks["payload"] <= masks["messages"]
    if algorithm in DENSE:
        assert weights["payload"] == PEERS * ROUNDS * DENSE[algorithm] * dense
    elif algorithm in PRUNED:
        assert weights["payload"] == PEERS * ROUNDS * PRUNED[algorithm] * slim
        assert slim < 0.3 * dense
    elif algorithm == "exact-similarity":  # round 0 trained the dense W0, round 1 the slim average
        assert weights["payload"] == PEERS * ALL * (dense + slim)
        assert summary["grouping"]["ari"] is not None
    elif algorithm == "dis-pfl-erk":
        (n_bytes,) = {line["n_bytes"] for line in pulled}
        assert 0.5 * dense <= n_bytes < 0.52 * dense  # statistics are never dropped
        assert len(pulled) * packed_size(n_parameters(run)) <= weights["header"]
    else:  # pens tries all five in its first round, keeps to two in its second
        assert weights["payload"] == PEERS * (ALL + FAN_IN) * dense
    if algorithm.startswith("oracle"):
        assert summary["grouping"]["chosen_in_group"] == 1.0
    if algorithm in DEPLOYS:
        found = {peer["deployed_from"] for peer in summary["peers"].values()}
        assert found <= DEPLOYS[algorithm]


def test_a_baseline_beside_another_and_the_same_again(tmp_path):
    """pens remembers and dis-pfl-erk draws: both are decided by the plan alone."""
    run, _ = run_of(tmp_path, "pens", "--baseline", "dis-pfl-erk", "--rounds", 3)
    beside = run / "baseline-dis-pfl-erk"
    assert json.loads((beside / "summary.json").read_text())["algorithm"] == "dis-pfl-erk"
    code, out = asked("summary", run, "--format", "json")
    assert code == 0, out
    assert json.loads(out)["baseline"]["algorithm"] == "dis-pfl-erk"

    again = tmp_path / "again"
    options = ["--quiet", "--run-dir", again]
    assert launch(run / "plan.json", *options, fresh=True)[0] == 0
    for one, other in [(run, again), (beside, again / beside.name)]:
        code, out = asked("verify", one, other)
        assert (code, out.split(":")[0]) == (0, "the same"), out
