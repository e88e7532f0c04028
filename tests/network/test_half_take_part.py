"""Half of six peers take part in a round: who speaks, what is counted, and that it repeats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launching import SMALL, journal, launch, patient, topology
from resuming import is_the_same, kill_launcher_after, resume

from prisam_p2p.plan.plan import Plan, read_plan

pytestmark = pytest.mark.network

HALF = SMALL.replace("rounds = 3", "rounds = 6\nparticipation = 0.5\nepochs = 1")


def records(run: Path, peer: str, kind: str) -> list[dict]:
    return [line for line in journal(run, peer) if line["record"] == kind]


def rounds_of(run: Path, peer: str, kind: str) -> list[int]:
    return [line["round"] for line in records(run, peer, kind)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return a run to its end, and that of a baseline which draws peers."""
    folder = tmp_path_factory.mktemp("half")
    run = folder / "run"
    net = topology(folder, patient(HALF))
    code, _, err = launch(net, "--baseline", "fedavg-random", "--run-dir", run, "--quiet")
    assert code == 0, err
    return run


def drawn(run: Path) -> tuple[Plan, list[set[str]]]:
    plan = read_plan(run / "plan.json")
    return plan, [plan.participation().among(plan.peers, t) for t in range(6)]


def test_three_of_six_take_part_and_nobody_else_speaks(whole):
    plan, there = drawn(whole)
    assert [len(each) for each in there] == [6, 3, 3, 3, 3, 6]
    summary = json.loads((whole / "summary.json").read_text())
    for peer in plan.peers:
        mine = [t for t in range(6) if peer in there[t]]
        for kind in ("trained", "masked", "announced", "grouped", "aggregated"):
            assert rounds_of(whole, peer, kind) == mine
        assert rounds_of(whole, peer, "sat_out") == sorted({*range(6)} - {*mine})
        for line in records(whole, peer, "heard"):  # in all rounds
            assert set(line["peers"]) == there[line["round"]] - {peer}
            assert line["missing"] == {}
        told = summary["peers"][peer]
        assert (told["rounds_done"], told["rounds_sat_out"]) == (6, 6 - len(mine))
    masks = summary["bytes"]["mask"]["messages"]  # on the wire
    assert masks == sum(5 * len(each) for each in there)
    assert summary["closure"]["unexplained_bytes"] == 0
    assert summary["rounds_done"] == 6


def test_a_baseline_draws_of_those_that_take_part(whole):
    beside = whole / "baseline-fedavg-random"
    plan, there = drawn(beside)
    assert there == drawn(whole)[1]
    for peer in plan.peers:
        for line in records(beside, peer, "grouped"):
            others = {*line["group"]} - {peer}
            assert others <= there[line["round"]]
            assert len(others) == plan.fan_in == 1  # half of three is two: itself and another
    assert json.loads((beside / "summary.json").read_text())["closure"]["unexplained_bytes"] == 0


def test_a_run_that_was_killed_goes_on_to_the_same(whole, tmp_path):
    run = tmp_path / "run"
    kill_launcher_after(2, ["p00", "p03"], run, whole / "plan.json", "--baseline", "none")
    resume(run)
    is_the_same(whole, run)
    assert json.loads((run / "summary.json").read_text())["closure"]["unexplained_bytes"] == 0
