"""A trace's events, by the rules of the Trace Event Format; tests/browser opens it in viewers."""

import gzip
import json
from collections import defaultdict
from itertools import pairwise

import pytest
from big_run import BigRun, write_big_run
from click.testing import CliRunner
from hand_hosts import LOST_S, WHY, on_two_hosts
from hand_timelines import a_timed_run, spans
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.cli import main
from prisam_p2p.page.data.fold import PageData
from prisam_p2p.page.data.run_page import SoundRun, folded
from prisam_p2p.page.data.tables import TABLES
from prisam_p2p.trace.events import NETWORK, PHASES, lanes, of_peer
from prisam_p2p.trace.run_trace import RunTrace


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A run folder of six peers, all of whose pulls were served."""
    return write_big_run(
        tmp_path_factory.mktemp("trace") / "run", BigRun(peers=6, rounds=4, degree=None, groups=2)
    )


@pytest.fixture(scope="module")
def run(generated):
    """Its page's data."""
    return folded(SoundRun(generated)).payload()


def with_faults():
    """A run by hand, with faults and notes; all columns are there."""
    found = a_timed_run()
    found["facts"] |= {"moments": ["after_training", "", "after_aggregation"], "now_s": 9.0}
    for name, shape in TABLES.items():
        columns = found["tables"].setdefault(name, {"columns": {}})["columns"]
        n = len(next(iter(columns.values()), []))
        found["tables"][name]["columns"] = {
            column: columns.get(column, [None] * n) for column in shape.columns
        }
    return found


def events_of(run):
    return list(RunTrace(run).events())


def of_kind(events, *phases):
    return [event for event in events if event["ph"] in phases]


def slices_by_track(events):
    found = defaultdict(list)
    for event in of_kind(events, "X"):
        found[event["pid"], event["tid"]].append(event)
    return found


def assert_sound(events):
    """The format's rules: whole numbers, named tracks, slices that lie apart, arrows in slices."""
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    for event in of_kind(events, "X", "i", "C", "s", "f"):
        assert isinstance(event["ts"], int)
        assert event["ts"] >= 0
        assert event["ph"] == "C" or (event["pid"], event["tid"]) in named
    by_track = slices_by_track(events)
    for each in by_track.values():
        each.sort(key=lambda event: (event["ts"], event["dur"]))
        for one, other in pairwise(each):
            assert one["dur"] >= 0
            assert one["ts"] + one["dur"] <= other["ts"]
    arrows = defaultdict(dict)
    for event in of_kind(events, "s", "f"):
        assert event["ph"] not in arrows[event["id"]]
        arrows[event["id"]][event["ph"]] = event
        at = event["ts"]
        track = by_track[event["pid"], event["tid"]]
        assert any(x["ts"] <= at <= x["ts"] + x["dur"] for x in track), event
    for arrow in arrows.values():
        assert arrow["s"]["ts"] <= arrow["f"]["ts"]
        assert arrow["s"]["cat"] == arrow["f"]["cat"]


def test_a_trace_keeps_the_formats_rules(run):
    assert_sound(events_of(run))
    assert_sound(events_of(with_faults()))


def test_every_span_pull_and_serving_is_a_slice(run):
    events = events_of(run)
    tables = run["tables"]
    slices = of_kind(events, "X")
    for category, table in (("phase", "spans"), ("pull", "pulls"), ("serving", "servings")):
        expected = len(tables[table]["columns"]["peer"])
        assert sum(event["cat"] == category for event in slices) == expected > 0
    columns = tables["spans"]["columns"]
    lasted_s = sum(columns["end_s"]) - sum(columns["begin_s"])
    assert sum(e["dur"] for e in slices if e["cat"] == "phase") / 1e6 == pytest.approx(lasted_s)


def test_an_arrow_leads_from_each_announcement_to_each_arrival(run):
    events = events_of(run)
    offsets = run["tables"]["arrivals"]["columns"]["offsets"]
    arrived = sum(ms is not None for each in offsets for ms in each)
    assert sum(e["cat"] == "mask" for e in of_kind(events, "f")) == arrived > 0
    assert {e["pid"] for e in of_kind(events, "f") if e["cat"] == "mask"} == {PHASES}


def test_an_arrow_leads_from_what_a_donor_served_to_the_end_of_the_pull():
    run = with_faults()
    served = {"peer": 2, "to": 0, "end_s": 3.29, "round": 0, "queued_s": 0.01, "begin_s": 3.06}
    row = {**served, "n_bytes": 2048, "outcome": "whole"}
    run["tables"]["servings"]["columns"] = {name: [cell] for name, cell in row.items()}
    events = events_of(run)
    assert_sound(events)
    begin, end = [e for e in of_kind(events, "s", "f") if e["cat"] == "weights"]
    assert (begin["ph"], begin["pid"], begin["ts"]) == ("s", of_peer(2), 3_060_000)
    assert (end["ph"], end["pid"], end["ts"]) == ("f", of_peer(0), 3_299_999)  # within the slice


def test_faults_stand_above_all_as_slices_and_marks():
    events = events_of(with_faults())
    faults = [e for e in events if e.get("cat") == "fault"]
    assert {e["pid"] for e in faults} == {NETWORK}
    killed, cut = of_kind(faults, "X")
    assert (killed["name"], killed["ts"], killed["dur"]) == ("kill-1 (kill)", 4_010_000, 1_490_000)
    assert cut["dur"] == 2_300_000  # it was never healed: to the last record
    marks = [(e["name"], e["ts"], e["s"]) for e in of_kind(faults, "i")]
    assert ("applied: kill-1", 4_010_000, "g") in marks
    assert not [name for name, *_ in marks if "late-1" in name]  # it was never applied
    (lost,) = [e for e in of_kind(events, "i") if e["name"] == "lost: killed"]
    assert (lost["pid"], lost["ts"]) == (PHASES, 4_010_000)


def test_counters_tell_accuracy_and_bytes(run):
    events = events_of(run)
    counters = {(e["pid"], e["name"]) for e in of_kind(events, "C")}
    assert {(of_peer(0), "test accuracy"), (of_peer(0), "sent, MiB")} <= counters
    last = [e for e in events if e["name"] == "sent by all peers, MiB"][-1]
    sent = run["tables"]["resources"]["columns"]
    final = sum(s for s, r in zip(sent["sent_bytes"], sent["round"], strict=True) if r == 3)
    assert last["args"]["value"] == pytest.approx(final / 2**20)


def test_a_run_without_the_newer_records_has_a_trace(tmp_path):
    old = BigRun(peers=4, rounds=2, degree=None, groups=2, extras=False)
    events = events_of(folded(SoundRun(write_big_run(tmp_path / "old", old))).payload())
    assert_sound(events)
    assert not [e for e in events if e.get("cat") == "phase"]


def test_a_run_that_has_no_line_yet_has_a_trace(run, generated):
    plan = json.loads((generated / "plan.json").read_text())
    assert_sound(events_of(PageData(plan, [], "new").payload()))


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 10)).map(lambda x: (x[0], x[0] + x[1])),
        max_size=30,
    )
)
def test_intervals_of_one_lane_lie_apart_and_few_lanes_are_used(intervals):
    intervals.sort()
    dealt = lanes(intervals)
    for lane in set(dealt):
        own = [each for each, at in zip(intervals, dealt, strict=True) if at == lane]
        assert all(one[1] <= other[0] for one, other in pairwise(own))
    most = max(
        (sum(b <= begin < e or b == begin for b, e in intervals) for begin, _ in intervals),
        default=0,
    )
    assert len(set(dealt)) <= most


def test_the_command_writes_a_file_that_says_what_it_lacks(generated, tmp_path):
    plain, packed = tmp_path / "t.json", tmp_path / "t.json.gz"
    for path in (plain, packed):
        result = CliRunner().invoke(main, ["trace", str(generated), "--out", str(path)])
        assert result.exit_code == 0, result.output
        assert "ui.perfetto.dev" in result.output
        assert "summary.json is not there" in result.output
    text = plain.read_text()
    assert gzip.decompress(packed.read_bytes()).decode() == text
    assert_sound(json.loads(text)["traceEvents"])
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_spans_of_the_run_by_hand_are_all_there():
    found = of_kind(events_of(with_faults()), "X")
    assert sum(event["cat"] == "phase" for event in found) == len(spans())


def test_each_host_has_a_track_until_it_is_lost(tmp_path):
    run = on_two_hosts(lost="h2", states={"p03": "lost with host h2"}).write(tmp_path)
    events = events_of(folded(SoundRun(run.path)).payload())
    h1, h2 = (event for event in of_kind(events, "X") if event["cat"] == "host")
    assert (h1["name"], h1["args"]["peers"], h1["args"]["address"]) == (
        "h1",
        "p01, p02",
        "10.77.0.1",
    )
    assert (h2["ts"], h2["dur"]) == (0, LOST_S * 1e6)
    assert h1["dur"] == 21e6
    marks = {event["name"]: event["ts"] for event in of_kind(events, "i")}
    assert marks[f"host h2 lost with 1 peer: {WHY}"] == marks["lost with host h2"] == LOST_S * 1e6
    names = [each["args"]["name"] for each in of_kind(events, "M") if each["name"] == "thread_name"]
    assert {"host h1", "host h2", "p03, data group 1, fast, h2"} <= {*names}
