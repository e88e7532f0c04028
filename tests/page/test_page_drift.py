"""The page of a run whose data groups change: its index, its table, and what is exported."""

import json

import pytest
from big_run import BigRun, write_big_run

from prisam_p2p.export.stream import points_of
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.page.data.shared import AGGREGATED
from prisam_p2p.report.groups import ari_by_round
from prisam_p2p.report.run_folder import RunFolder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return the run folder and the page's data: from round 2 on, p00 is of data group 1."""
    folder = write_big_run(tmp_path_factory.mktemp("page") / "run", BigRun(6, 4, None, groups=2))
    plan = json.loads((folder / "plan.json").read_text())
    first = next(iter(plan["peers"].values()))
    assert first["group"] == 0
    first["data_changes"] = [{"round": 2, "group": 1, "classes": [], "fault": "f#0"}]
    (folder / "plan.json").write_text(json.dumps(plan))
    (run,) = page_data_of(RunFolder(folder))["runs"]
    return folder, run


def columns(run, table):
    return run["tables"][table]["columns"]


def test_only_peers_whose_group_changes_have_rows(runs):
    assert columns(runs[1], "data_groups") == {
        "peer": [0, 0],
        "first_round": [0, 2],
        "group": [0, 1],
    }


def test_the_index_is_that_against_the_groups_of_the_round_as_in_the_summary(runs):
    folder, run = runs
    shown = dict(zip(*columns(run, "ari").values(), strict=True))
    assert shown == ari_by_round(RunFolder(folder))
    assert shown[1] > shown[2]  # the clusters stay as they were


def test_means_by_group_are_over_the_peers_of_the_round(runs):
    _, run = runs
    found = {(each.round, each.tag): each.value for each in points_of(run)}
    rows = columns(run, "accuracy")
    for t, members in ((1, {1, 3, 5}), (2, {0, 1, 3, 5})):
        own = [
            test
            for peer, at, moment, test in zip(
                rows["peer"], rows["round"], rows["moment"], rows["test"], strict=True
            )
            if at == t and moment == AGGREGATED and peer in members
        ]
        assert len(own) == len(members)
        mean = found[t, "by_group/accuracy/aggregated/group_1"]
        assert mean == pytest.approx(sum(own) / len(own))
