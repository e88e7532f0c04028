"""From a run's page to points: aggregates, groups, single peers, bytes, faults, what is over."""

import json
from statistics import fmean

import pytest
from big_run import BigRun, write_big_run
from launching import journal

from prisam_p2p.export.points import ExportMarker, tag_word
from prisam_p2p.export.stream import markers_of, points_of, rounds_over
from prisam_p2p.page.data.checked_lines import parse
from prisam_p2p.page.data.fold import PageData
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.report.breakdown import by_kind
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder

BIG = BigRun(peers=6, rounds=3, degree=4, groups=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_big_run(tmp_path_factory.mktemp("runs") / "big", BIG)


@pytest.fixture(scope="module")
def data(folder):
    return page_data_of(RunFolder(folder))["runs"][0]


def values(points):
    return {(each.tag, each.round): each.value for each in points}


def test_accuracy_is_aggregated_over_peers_and_by_data_group(folder, data):
    found = values(points_of(data))
    for at in range(BIG.rounds):
        tests = [
            line["test"]
            for peer in BIG.ids
            for line in journal(folder, peer)
            if line["record"] == "evaluated" and line["round"] == at
            if line["moment"] == "after_aggregation"
        ]
        assert len(tests) == BIG.peers
        for word, of_all in (("mean", fmean), ("min", min), ("max", max)):
            assert found[f"accuracy/aggregated/{word}", at] == pytest.approx(of_all(tests))
        for group in range(BIG.groups):
            own = tests[group :: BIG.groups]
            tag = f"by_group/accuracy/aggregated/group_{group}"
            assert found[tag, at] == pytest.approx(fmean(own))


def test_bytes_add_up_to_the_ledgers(folder, data):
    found = values(points_of(data))
    rows = by_kind(make_ledger(RunFolder(folder))).rows
    of_kinds = {kind: wire for kind, *_, wire, _ in rows if kind != "total"}
    total = sum(value for (tag, _), value in found.items() if tag == "bytes/total")
    assert total + found.get(("bytes/before_the_rounds", 0), 0) == sum(of_kinds.values()) > 0
    for kind in ("mask", "weights"):
        told = sum(value for (tag, _), value in found.items() if tag == f"bytes/{kind}")
        assert told == of_kinds[kind]


def test_a_point_has_the_time_at_which_the_last_peer_was_done(data):
    columns = data["tables"]["accuracy"]["columns"]
    last = max(
        t
        for t, at, moment in zip(columns["t_s"], columns["round"], columns["moment"], strict=True)
        if (at, moment) == (1, 2)
    )
    [point] = [p for p in points_of(data) if (p.tag, p.round) == ("accuracy/aggregated/mean", 1)]
    assert point.t_s == last


def test_single_peers_only_where_asked(data):
    assert not [each for each in points_of(data) if each.tag.startswith("by_peer/")]
    tags = {each.tag for each in points_of(data, [1])}
    assert {f"by_peer/accuracy/{moment}/p001" for moment in ("trained", "aggregated")} <= tags
    assert not [tag for tag in tags if tag.startswith("by_peer/") and not tag.endswith("/p001")]


def test_each_tag_is_once_in_a_round_and_rounds_ascend(data):
    points = points_of(data, range(BIG.peers))
    keys = [(each.round, each.tag) for each in points]
    assert keys == sorted(set(keys))
    assert {each.round for each in points} == set(range(BIG.rounds))


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", "a b", "\u202e", "x" * 101, "=1", "é"])
def test_a_name_that_a_tracker_may_refuse_is_told_by_its_number(name):
    assert tag_word(name, 7) == "no 7"
    assert tag_word("p07", 7) == "p07"


def test_what_a_fault_did_is_told_at_its_times():
    peers = {"peer": [0, 1], "id": ["a", "b"], "group": [-1, -1], "deployed": [None, None]}
    accuracy = {"peer": [0, 0], "round": [0, 1], "moment": [2, 2], "t_s": [5.0, 9.0]}
    fault = {
        "occurrence": "churn#0",
        "kind": "restart",
        "peers": [1],
        "planned": "round 1, train",
        "applied_s": 6.0,
        "healed_s": 7.5,
        "verdict": "true",
        "why": "",
        "cost": "noticed after 1 s",
    }
    tables = {"peers": peers, "accuracy": accuracy, "faults": {k: [v] for k, v in fault.items()}}
    run = {"facts": {}, "tables": {name: {"columns": each} for name, each in tables.items()}}
    tag = "faults/churn.0"
    assert markers_of(run) == [
        ExportMarker(6.0, 1, tag, "applied: restart of b, planned for: round 1, train"),
        ExportMarker(7.5, 1, tag, "healed"),
        ExportMarker(7.5, 1, tag, "verdict: true (noticed after 1 s)"),
    ]
    tables["faults"]["occurrence"] = ["../up"]
    assert {each.tag for each in markers_of(run)} == {"faults/no 0"}
    fault["applied_s"] = None
    run["tables"]["faults"] = {"columns": {k: [v] for k, v in fault.items()}}
    assert markers_of(run) == []


def test_points_of_rounds_that_are_over_stay_as_they_are(folder):
    """Fold the journals in by time, as a run writes them; compare with the end after each line."""
    plan = json.loads((folder / "plan.json").read_text())
    lines = sorted(
        (line["t_s"], name, json.dumps(line))
        for name in [*BIG.ids, "launcher"]
        for line in journal(folder, name)
    )
    data, seen = PageData(plan), []
    final = {(p.round, p.tag): p for p in points_of(page_data_of(RunFolder(folder))["runs"][0])}
    for _, name, text in lines:
        data.take(name, parse(text))
        now = data.payload()
        over = rounds_over(now)
        seen.append(over)
        for point in points_of(now):
            if point.round < over:
                assert final[point.round, point.tag] == point
    assert set(range(BIG.rounds)) <= set(seen)
