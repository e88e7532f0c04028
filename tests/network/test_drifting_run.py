"""Data that drift in a real run: it fired, bit and was contained; restarted and resumed, too.

Whether it bit is seen against the control run: the same plan and seed, without faults.
"""

import json

import pytest
from control_runs import (
    FIVE_ROUNDS,
    ControlRun,
    finished,
    is_the_control_run_before,
    records,
)
from launching import asked, launch, refused, topology
from resuming import is_the_same, kill_launcher_after, resume

from prisam_p2p.report.groups import ari_by_round
from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

PEERS = [f"p{i:02d}" for i in range(6)]
SCENARIO = """
description = "p00 drifts and comes back, p04 drifts step by step; then p00 is restarted"
[[fault]]
id = "away"
kind = "drift"
peers = ["p00"]
to = 1
at = { round = 2, phase = "train" }
heal = { rounds = 2 }
[[fault]]
id = "slowly"
kind = "drift"
peers = ["p04"]
to = "next"
over_rounds = 2
at = { round = 2, phase = "train" }
[[fault]]
id = "again"
kind = "restart"
peers = ["p00"]
at = { round = 3, phase = "train" }
"""


@pytest.fixture(scope="module")
def drifted(tmp_path_factory):
    """Return the folder of a run with drift, which has a control run."""
    folder = tmp_path_factory.mktemp("drift")
    (folder / "drift.toml").write_text(SCENARIO)
    options = ("--faults", folder / "drift.toml", "--control-run", "--quiet")
    code, _, err = launch(topology(folder, FIVE_ROUNDS), "--run-dir", folder / "run", *options)
    assert code == 0, err
    return folder / "run"


def test_it_fired_bit_and_was_contained(drifted):
    summary = json.loads((drifted / "summary.json").read_text())
    finished(summary)
    told = {
        each["id"]: (each["fired"], each["verified"], each["verdict"]) for each in summary["faults"]
    }
    assert told == dict.fromkeys(("away#0", "slowly#0", "again#0"), (True, True, "true"))
    control = ControlRun(drifted / "twin")
    is_the_control_run_before(drifted, control, 2)
    losses = [
        [x["loss"] for x in records(run, "p00", "trained")] for run in (drifted, control.path)
    ]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2] > losses[1][2]  # the images are of classes that it never saw
    assert records(control.path, "p00", "data_changed") == []
    (groups,) = [check for check in summary["checks"] if check["check"] == "groups recovered"]
    assert groups["verdict"] == "not judged"


def test_a_process_that_starts_again_loads_the_images_of_its_round(drifted):
    changed = [
        (x["round"], x["since"], x["fault"]) for x in records(drifted, "p00", "data_changed")
    ]
    assert changed[0] == (2, 2, "away#0")
    assert changed[-1] == (4, 4, "")
    assert (3, 2, "away#0") in changed  # by the process that began with round 3
    assert [x["group"] for x in records(drifted, "p04", "data_changed")] == [0, 0]


def test_data_groups_follow_in_time(drifted):
    run = RunFolder(drifted)
    groups = run.data_groups
    assert [groups.groups_at(t)["p00"] for t in range(5)] == [0, 0, 1, 1, 0]
    assert [groups.groups_at(t)["p04"] for t in range(5)] == [1, 1, 0, 0, 0]
    labels = {x["round"]: x["labels"] for x in records(drifted, "p01", "grouped")}
    frozen = {t: labels[t]["p00"] == labels[t]["p01"] for t in (1, 2)}
    if all(frozen.values()):  # measured against the groups of the round, it is wrong now
        assert ari_by_round(run)[1] == 1.0 > ari_by_round(run)[2]
    query = (
        "SELECT peer, first_round, data_group FROM data_groups WHERE first_round > 0 ORDER BY ALL"
    )
    code, out = asked("sql", drifted, query, "--format", "csv")
    assert (code, out.split()[1:]) == (0, ["p00,2,1", "p00,4,0", "p04,2,0"])
    summary = json.loads((drifted / "summary.json").read_text())["peers"]
    assert (summary["p00"]["data_group"], summary["p04"]["data_group"]) == (0, 0)
    assert summary["p00"]["data_changes"] == [[2, 1], [4, 0]]


def test_a_run_whose_launcher_was_killed_during_a_drift_comes_to_the_same(drifted, tmp_path):
    run, faults = tmp_path / "run", drifted.parent / "drift.toml"
    net = topology(tmp_path, FIVE_ROUNDS)
    kill_launcher_after(2, ["p01", "p03"], run, net, "--faults", faults)
    resume(run)
    is_the_same(run, drifted)
    faults = json.loads((run / "summary.json").read_text())["faults"]
    assert {each["verdict"] for each in faults} == {"true"}


def test_data_without_groups_cannot_drift(tmp_path):
    (tmp_path / "drift.toml").write_text(SCENARIO)
    net = topology(tmp_path, FIVE_ROUNDS)
    told = refused("plan", net, "--faults", tmp_path / "drift.toml", "--split", "iid")
    assert "data in two groups or more" in told
