"""Devices that are replaced in a real run: it fired, bit and was contained; resumed, too."""

import json

import pytest
from control_runs import FIVE_ROUNDS, finished, records
from launching import launch, topology
from resuming import is_the_same, kill_launcher_after, resume

from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

SCENARIO = """
description = "p00 is replaced, and so is the device that takes its place"
[[fault]]
id = "turnover"
kind = "replace"
peers = ["p00"]
at = { phase = "train" }
every = { rounds = 2, from = 1 }
"""


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """Return the folder of a run with two replacements, which has a control run."""
    folder = tmp_path_factory.mktemp("turnover")
    (folder / "turnover.toml").write_text(SCENARIO)
    options = ("--faults", folder / "turnover.toml", "--control-run", "--quiet")
    code, _, err = launch(topology(folder, FIVE_ROUNDS), "--run-dir", folder / "run", *options)
    assert code == 0, err
    return folder / "run"


def test_it_fired_bit_and_was_contained(turned):
    summary = json.loads((turned / "summary.json").read_text())
    finished(summary, "p00", "p00-1")
    gone = {summary["peers"][peer]["state"] for peer in ("p00", "p00-1")}
    assert gone == {"stopped as planned"}
    assert {each["id"]: each["verdict"] for each in summary["faults"]} == dict.fromkeys(
        ("turnover-leaves#0", "turnover#0", "turnover-leaves#1", "turnover#1"), "true"
    )
    heard = {x["round"]: x for x in records(turned, "p01", "heard")}
    holders = [{"p00", "p00-1", "p00-2"} & {*heard[t]["peers"]} for t in range(5)]
    assert holders == [{"p00"}, {"p00-1"}, {"p00-1"}, {"p00-2"}, {"p00-2"}]
    (new,) = records(turned, "p00-1", "data_changed")
    assert (new["round"], new["new"]) == (1, new["train"])
    assert RunFolder(turned / "twin").peers == [f"p{i:02d}" for i in range(6)]


def test_data_groups_follow_who_is_there(turned):
    groups = RunFolder(turned).data_groups
    there = [{"p00", "p00-1", "p00-2"} & groups.groups_at(t).keys() for t in range(5)]
    assert there == [{"p00"}, {"p00-1"}, {"p00-1"}, {"p00-2"}, {"p00-2"}]


def test_a_run_whose_launcher_was_killed_in_between_comes_to_the_same(turned, tmp_path):
    run, faults = tmp_path / "run", turned.parent / "turnover.toml"
    net = topology(tmp_path, FIVE_ROUNDS)
    kill_launcher_after(2, ["p01", "p03"], run, net, "--faults", faults)
    resume(run)
    is_the_same(run, turned)
