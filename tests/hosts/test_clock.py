"""The offset of a host's clock lies within its bound, whatever the delays and the drift are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.hosts.clock import DRIFT, ClockEstimate

delays_s = st.floats(0, 3)
rates = st.floats(-DRIFT, DRIFT)
exchanges = st.tuples(st.floats(0, 60), rates, delays_s, rates, delays_s)
"""The time before an exchange, the drift in it, the delay on the way to the launcher, the drift
until its answer is here, and the delay of the answer."""

ROUNDING_S = 1e-8


class Clocks:
    """A host's clock, and the launcher's, which drifts away from it."""

    def __init__(self, host_s, offset_s):
        self.host_s, self.offset_s = host_s, offset_s

    def pass_time(self, by_s, rate):
        self.host_s += by_s
        self.offset_s += by_s * rate

    @property
    def launcher_s(self):
        return self.host_s + self.offset_s


@given(
    st.floats(0, 1e6),
    st.floats(-1e6, 1e6),
    st.lists(exchanges, min_size=1, max_size=20),
    st.floats(0, 600),
    rates,
)
def test_true_offset_lies_within_the_bound(host_s, offset_s, course, later_s, last_rate):
    clocks, clock = Clocks(host_s, offset_s), ClockEstimate()
    for before_s, rate, there_s, second_rate, back_s in course:
        clocks.pass_time(before_s, rate)
        sent_s = clocks.host_s
        clocks.pass_time(there_s, rate)
        heard_s = clocks.launcher_s
        clocks.pass_time(back_s, second_rate)
        clock.exchanged(sent_s, heard_s, clocks.host_s)
        known = clock.at(clocks.host_s)
        assert abs(known.offset_s - clocks.offset_s) <= known.bound_s + ROUNDING_S
    clocks.pass_time(later_s, last_rate)
    known = clock.at(clocks.host_s)
    assert abs(known.offset_s - clocks.offset_s) <= known.bound_s + ROUNDING_S


@given(st.lists(exchanges, min_size=1, max_size=20))
def test_no_exchange_that_was_seen_would_bound_the_offset_better(course):
    clock, now_s, bounds = ClockEstimate(), 0.0, []
    for before_s, _, there_s, _, back_s in course:
        sent_s = now_s + before_s
        now_s = sent_s + there_s + back_s
        clock.exchanged(sent_s, 100.0 + sent_s + there_s, now_s)
        bounds.append((sent_s, now_s - sent_s))
    best_s = min(round_trip_s / 2 + DRIFT * (now_s - at_s) for at_s, round_trip_s in bounds)
    assert clock.at(now_s).bound_s == pytest.approx(best_s)


def test_fast_answer_is_kept_until_drift_has_made_it_worse_than_a_slow_one():
    clock = ClockEstimate()
    clock.exchanged(0.0, 500.0005, 0.001)
    clock.exchanged(1.0, 501.1, 1.02)
    assert clock.at(1.02).offset_s == pytest.approx(500.0)
    clock.exchanged(900.0, 1400.01, 900.02)  # known within 10 ms; the first within 45 ms by now
    assert clock.at(900.02).offset_s == pytest.approx(500.0)
    assert clock.at(900.02).bound_s == pytest.approx(0.01, rel=0.01)


def test_bound_is_half_the_round_trip_and_grows_with_time():
    clock = ClockEstimate()
    clock.exchanged(10.0, 4.25, 10.5)
    assert clock.at(10.5).offset_s == -6.0
    assert clock.at(10.5).bound_s == pytest.approx(0.25, abs=1e-4)
    assert clock.at(1010.0).bound_s == pytest.approx(0.25 + 1000 * DRIFT)


def test_nothing_is_known_before_the_first_exchange():
    assert ClockEstimate().at(5.0) is None


def test_answer_before_its_question_is_a_bug():
    with pytest.raises(ValueError, match="received at 1"):
        ClockEstimate().exchanged(2.0, 7.0, 1.0)
