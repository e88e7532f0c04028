"""Spans of a peer's main thread: every moment stands in one, and a name is not hidden."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.control.activity import Activity
from prisam_p2p.measure import records
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.spans import UNNAMED, SpanLog

TRAINING, PULLING = Activity.TRAINING.phase, Activity.PULLING.phase


class Log:
    """A SpanLog and its clocks, which only the test moves: `at` = (wall, CPU) seconds."""

    def __init__(self):
        self.at, self.written = (0.0, 0.0), []
        self.spans = SpanLog(self.written.append, lambda: self.at[0], lambda: self.at[1])

    def change(self, at_s, phase, cpu_s=None):
        self.at = (at_s, at_s if cpu_s is None else cpu_s)
        self.spans.change(phase, 3)

    def rest(self, at_s):
        self.at = (at_s, at_s)
        self.spans.write(4)
        return [span for record in self.written for span in record.spans]


@pytest.fixture
def log():
    return Log()


def test_a_nested_activity_ends_its_outers_span_and_leaving_it_begins_another(log):
    marks = Marks(spans=log.spans)
    log.at = (1.0, 1.0)
    with marks.doing(Activity.TRAINING):
        log.at = (1.5, 1.5)
        with marks.doing(Activity.WAITING_FOR_TURN):
            log.at = (1.75, 1.5)
        log.at = (2.0, 1.75)
    marks.begin_round(0)
    log.at = (2.5, 2.0)
    marks.end_spans()
    assert log.written == [
        records.Spans(-1, [("starting", 0.0, 1.0)]),
        records.Spans(
            -1, [("training", 1.0, 1.5), ("waiting for its turn", 1.5, 1.75), ("training", 1.75, 2)]
        ),
        records.Spans(0, [("starting", 2.0, 2.5)]),
    ]
    with marks.doing(Activity.PULLING):
        log.at = (9.0, 9.0)
    assert len(log.written) == 3, "the process's last record follows the end"


def test_the_sleeps_of_a_slow_device_are_training(log):
    marks = Marks(spans=log.spans)
    with marks.doing(Activity.TRAINING):
        for step in range(1, 4):
            log.at = (step, step)
            with marks.doing(Activity.PACING):
                log.at = (step + 0.5, step)
    assert log.rest(4.0) == [("training", 0.0, 3.5), ("starting", 3.5, 4.0)]


def test_consecutive_spans_of_one_phase_are_one(log):
    log.change(0.25, TRAINING)
    log.change(0.5, PULLING)
    log.change(0.5, TRAINING)  # it took no time
    log.change(0.75, PULLING)
    assert log.rest(0.75) == [("starting", 0.0, 0.25), (TRAINING, 0.25, 0.75)]


def test_what_is_closed_a_second_after_the_last_record_is_written_at_once(log):
    log.change(0.9, TRAINING)
    assert log.written == []
    log.change(1.0, PULLING)
    assert log.written == [records.Spans(3, [("starting", 0.0, 0.9), (TRAINING, 0.9, 1.0)])]
    log.change(1.5, TRAINING)
    assert len(log.written) == 1


@pytest.mark.parametrize(
    ("ends_s", "cpu_s", "named"),
    [
        (2.49, 0.5009, True),
        (2.5, 0.5, False),  # two seconds
        (0.51, 0.501, False),  # a tenth of it
        (0.501, 0.5009, True),  # less than a millisecond
        (1.5, 0.599, True),
        (1.5, 0.601, False),
    ],
)
def test_a_time_between_two_steps_has_a_name_only_if_the_loop_did_nothing(
    log, ends_s, cpu_s, named
):
    log.change(0.0, TRAINING)
    log.change(0.5, UNNAMED)
    log.change(ends_s, PULLING, cpu_s)
    spans = log.rest(3.0)
    between = [] if named else [(UNNAMED, 0.5, ends_s)]
    assert spans == [(TRAINING, 0.0, 0.5), *between, (PULLING, 0.5 if named else ends_s, 3.0)]


def test_a_record_is_not_written_between_two_steps(log):
    log.change(1.0, TRAINING)
    log.written.clear()
    log.change(2.5, UNNAMED)
    assert log.written == []
    log.change(2.5001, PULLING)
    assert log.written == [records.Spans(3, [(TRAINING, 1.0, 2.5)])]


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from([a.phase for a in Activity]))))
def test_spans_are_a_partition_of_the_time(changes):
    log, now_s = Log(), 0.0
    for wait_s, phase in changes:
        now_s = round(now_s + wait_s, 4)
        log.change(now_s, phase)
    spans = log.rest(now_s + 1)
    assert (spans[0][1], spans[-1][2]) == (0.0, now_s + 1)
    assert all(before[2] == after[1] for before, after in itertools.pairwise(spans))
    assert all(begin < end for _, begin, end in spans)
    assert sum(end - begin for _, begin, end in spans) == pytest.approx(now_s + 1)
