"""The fold gives one page, however the journals are interleaved and how often it is looked at."""

import json
from itertools import pairwise
from random import Random

import pytest
from big_run import BigRun, write_big_run
from hypothesis import given, settings
from hypothesis import strategies as st

from prisam_p2p.page.data.fold import PageData
from prisam_p2p.page.data.run_page import SoundRun, conclusion_of, occurrences_in, page_data_of
from prisam_p2p.page.data.tables import TABLES

SMALL = BigRun(peers=6, rounds=3, degree=None, groups=2)


def occurrence(name, kind, peers=(), links=(), **trigger):
    """Return an entry of faults.json."""
    fault, n = name.split("#")
    return {
        "id": name,
        "fault": fault,
        "occurrence": int(n),
        "kind": kind,
        "peers": [*peers],
        "links": [*links],
        "trigger": trigger,
        "heal": {"round": 2},
        "parameters": {},
    }


OCCURRENCES = [
    occurrence("nap#0", "pause", ["p001"], round=1, phase="train"),
    occurrence("churn#0", "restart", ["p002", "p003"], time_s=1.5),
    occurrence("halves#0", "cut", links=[["p000", "p001"], ["p001", "p000"]], round=2),
    occurrence("later#0", "kill", ["p004"], after="nap#0", edge="healed", delay_s=0.5),
]
LAUNCHER = [
    {"t_s": 9.3, "record": "fault_applied", "fault": "nap#0", "kind": "pause", "peer": "p001"}
    | {"late_s": 0.01},
    {"t_s": 9.31, "record": "fault_verified", "fault": "nap#0", "peer": "p001"}
    | {"evidence": "the system reports that it is stopped"},
    {"t_s": 9.4, "record": "stalled", "peer": "p001", "reason": "stopped", "doing": "training"}
    | {"round": 1, "since_s": 0.1},
    {"t_s": 9.5, "record": "fault_healed", "fault": "nap#0", "peer": "p001"},
    {"t_s": 9.5, "record": "fault_applied", "fault": "churn#0", "kind": "restart", "peer": "p002"}
    | {"late_s": 0.0},
    {"t_s": 9.6, "record": "peer_ended", "peer": "p002", "pid": 4, "exit_code": -9},
    {"t_s": 9.7, "record": "peer_started", "peer": "p002", "pid": 40, "incarnation": 1},
    {"t_s": 9.8, "record": "fault_healed", "fault": "churn#0", "peer": "p002"},
]
OF_P001 = [
    {"t_s": 11.4, "record": "rejected", "round": 2, "donor": "p003", "check": "norm"}
    | {"detail": "5 times the others'", "fetched_bytes": 7},
    {"t_s": 11.41, "record": "caught_up", "round": 1, "next_round": 2},
    {"t_s": 11.42, "record": "pull_failed", "round": 2, "donor": "p005", "reason": "gone"},
    {"t_s": 11.43, "record": "sat_out", "round": 2, "waited_s": 0.2},
    {"t_s": 11.44, "record": "evaluated", "round": 2, "moment": "after_fine_tuning"}
    | {"validation": 0.5, "test": 0.625, "right": [5], "of": [8]},
]


def insert(path, lines):
    """Put lines into a journal, where their time belongs."""
    all_lines = [*map(json.loads, path.read_text().splitlines()), *lines]
    all_lines.sort(key=lambda line: line["t_s"])
    path.write_text("".join(json.dumps(line) + "\n" for line in all_lines))


def with_faults(folder):
    """Add faults to a generated run."""
    (folder / "faults.json").write_text(json.dumps({"schema": 1, "occurrences": OCCURRENCES}))
    insert(folder / "journal" / "launcher.jsonl", LAUNCHER)
    insert(folder / "journal" / "p001.jsonl", OF_P001)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return SoundRun(with_faults(write_big_run(tmp_path_factory.mktemp("runs") / "small", SMALL)))


@pytest.fixture(scope="module")
def conclusion(run):
    return conclusion_of(run)


@pytest.fixture(scope="module")
def static(run):
    (found,) = page_data_of(run)["runs"]
    return found


def begun(run):
    return PageData(run.plan, occurrences_in(run.path), run.path.name)


def upsert(page, update):
    """Take an update in as the page's store does: facts by name, rows by key."""
    page["facts"] |= update["facts"]
    for name, table in update["tables"].items():
        columns = table["columns"]
        for cells in zip(*columns.values(), strict=True):
            row = dict(zip(columns, cells, strict=True))
            key = tuple(row[each] for each in TABLES[name].keys)
            page["tables"].setdefault(name, {})[key] = row


def as_rows(payload):
    page = {"facts": {}, "tables": {}}
    upsert(page, payload)
    return page


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), look=st.floats(0, 0.2), most=st.integers(1, 40))
def test_a_page_that_followed_a_run_is_the_one_made_afterwards(
    run, conclusion, static, seed, look, most
):
    journals = {name: list(lines) for name, (lines, *_) in run.read.items()}
    live, page = begun(run), {"facts": {}, "tables": {}}
    rng = Random(seed)
    while journals:
        name = rng.choice(sorted(journals))
        for _ in range(rng.randint(1, most)):
            if journals[name]:
                live.take(name, journals[name].pop(0))
        if not journals[name]:
            del journals[name]
        if rng.random() < look:
            upsert(page, live.changes())
    live.conclude(conclusion)
    upsert(page, live.changes())
    assert live.payload() == static
    assert page == as_rows(static)
    assert live.changes() == {"facts": {}, "tables": {}}


def test_a_line_that_is_folded_in_twice_doubles_nothing(run, static):
    twice = begun(run)
    for name, (lines, *_) in run.read.items():
        for line in lines:
            twice.take(name, line)
    before = twice.payload()["tables"]
    for name, (lines, *_) in run.read.items():
        for line in lines:
            twice.take(name, line)
    after = twice.payload()["tables"]
    assert {n: len(t["columns"]) for n, t in after.items()} == {
        n: len(t["columns"]) for n, t in before.items()
    }
    for name in ("spans", "pulls", "per_class", "masks", "ari", "arrivals", "servings"):
        rows = [len(next(iter(t[name]["columns"].values()))) for t in (before, after)]
        assert rows[0] == rows[1] > 0, name


def test_faults_tell_their_times(static):
    rows = as_rows(static)["tables"]["faults"]
    nap, churn, later = (rows[(f"{name}#0",)] for name in ("nap", "churn", "later"))
    assert (nap["planned"], nap["planned_s"], nap["round"]) == ("round 1, train", None, 1)
    assert (nap["applied_s"], nap["verified_s"], nap["healed_s"]) == (9.3, 9.31, 9.5)
    assert nap["late_s"] == 0.01
    assert nap["first_round_after"] == 1
    assert nap["first_round_after_s"] > 9.5
    assert nap["evidence"] == "p001: the system reports that it is stopped"
    assert churn["planned_s"] == 8.0 + 1.5  # all_ready stands at 8.0
    assert churn["peers"] == [2, 3]
    assert later["planned_s"] == 9.5 + 0.5
    assert later["applied_s"] is None
    assert rows[("halves#0",)]["links"] == [[0, 1], [1, 0]]
    assert rows[("halves#0",)]["verdict"]


def test_a_pull_that_was_rejected_afterwards_is_one_row(static):
    pulls = as_rows(static)["tables"]["pulls"].values()
    of_round = [x for x in pulls if (x["peer"], x["round"], x["donor"]) == (1, 2, 3)]
    assert [x["outcome"] for x in of_round] == ["rejected"]
    failed = [x for x in pulls if x["outcome"] == "failed"]
    assert [(x["peer"], x["donor"], x["reason"]) for x in failed] == [(1, 5, "gone")]


def test_pulls_of_a_lane_do_not_overlap(static):
    lanes = {}
    for pull in as_rows(static)["tables"]["pulls"].values():
        lanes.setdefault((pull["peer"], pull["lane"]), []).append((pull["began_s"], pull["end_s"]))
    assert max(lane for _, lane in lanes) > 0
    for spans in lanes.values():
        spans.sort()
        assert all(end <= began for (_, end), (began, _) in pairwise(spans))


def test_spans_are_those_of_the_journals_in_number_and_sum(run, static):
    spans = as_rows(static)["tables"]["spans"].values()
    journalled = [
        span for p in run.peers for line in run.records(p, "spans") for span in line["spans"]
    ]
    assert len(spans) == len(journalled) > 0
    sums = sum(x["end_s"] - x["begin_s"] for x in spans), sum(e - b for _, b, e in journalled)
    assert sums[0] == pytest.approx(sums[1], abs=1e-6)
    phases = static["facts"]["phases"]
    assert {phases[x["phase"]] for x in spans} == {phase for phase, *_ in journalled}


def test_notes_tell_what_happened_beside_the_rounds(static):
    told = [row["text"] for row in as_rows(static)["tables"]["notes"].values()]
    for part in ("skips to round 2", "stands still: stopped, training", "started again, process 2"):
        assert any(part in text for text in told), part
