import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.peer.round_deadline import KEPT_ROUNDS, DeadlineRule, RoundDeadline

LIMITS = DeadlineRule(cap_s=120.0, k=6.0, floor_s=10.0, quorum=0.5)


def after(lengths_s, limits=LIMITS, own_s=0.0):
    """Return a deadline whose rounds had these lengths, and which waits in the next one.

    Args:
        own_s: it was busy itself for so long of each round before it began to wait.
    """
    deadline, now_s = begun(limits, 1000.0), 1000.0
    for t, length_s in enumerate(lengths_s, 1):
        deadline.open(t, now_s + own_s)
        now_s += length_s
        deadline.arrived("a", t, now_s)
        deadline.close((), now_s)
    deadline.open(len(lengths_s) + 1, now_s + own_s)
    return deadline


def begun(limits, now_s):
    """Return a deadline whose wait of round 0, the first, is over."""
    deadline = RoundDeadline(limits)
    deadline.open(0, now_s)
    deadline.arrived("a", 0, now_s)
    deadline.close((), now_s)
    return deadline


def test_without_history_the_cap_holds():
    deadline = after([])
    assert deadline.wait_s(4, 1) == 120.0
    assert deadline.reason(4, 1) == "no mask within 120 s"


@pytest.mark.parametrize(
    ("lengths_s", "wait_s"),
    [
        ([3.0], 13.0),  # the floor
        ([3.0, 3.2, 2.8, 9.0], 13.1),  # median 3.1, deviations 0.1, 0.1, 0.3, 5.9: MAD 0.2
        ([30.0, 30.0, 30.0], 60.0),  # twice the usual
        ([10.0, 20.0, 30.0, 40.0, 50.0], 90.0),  # median 30, MAD 10
        ([100.0, 100.0], 120.0),  # the cap
    ],
)
def test_a_wait_is_median_and_k_deviations_of_the_rounds_lengths(lengths_s, wait_s):
    assert after(lengths_s).wait_s(4, 1) == pytest.approx(wait_s)


def test_the_own_training_is_part_of_the_round():
    """Rounds take 30 s, of which this peer trains 20: it waits for 40 s more, not for 60."""
    assert after([30.0] * 3, own_s=20.0).wait_s(4, 1) == pytest.approx(40.0)


def test_who_was_itself_late_still_waits_for_the_floor():
    """This peer was stopped for 500 s: what its neighbors sent is yet to be read."""
    assert after([30.0] * 3, own_s=500.0).wait_s(4, 1) == 10.0


def test_before_the_quorum_the_cap_holds():
    deadline = after([3.0] * 4)
    waits = [deadline.wait_s(here, 5 - here) for here in range(5)]
    assert waits == [120.0, 120.0, 120.0, 13.0, 13.0]
    assert deadline.wait_s(0, 1) == 120.0
    assert after([3.0], DeadlineRule(120.0, 6.0, 10.0, quorum=0.0)).wait_s(0, 1) == 13.0


def test_the_first_round_tells_nothing():
    """Who announced last found all masks there: it would give a round of 20 s only 10."""
    deadline = begun(LIMITS, 0.0)
    deadline.open(1, 0.5)
    assert deadline.wait_s(4, 1) == 120.0
    deadline.arrived("a", 1, 20.0)
    deadline.close((), 20.0)
    deadline.open(2, 20.0)
    assert deadline.wait_s(4, 1) == 40.0


def test_without_k_there_is_only_the_cap():
    assert after([3.0] * 4, DeadlineRule(120.0, 0.0, 10.0, 0.5)).wait_s(4, 1) == 120.0


def test_the_reason_names_the_figures():
    assert after([3.0, 3.4, 2.6]).reason(4, 1) == (
        "no mask within 13.0 s (rounds: median 3.0 + 6 x MAD 0.4, at least + 10.0)"
    )


def test_a_late_mask_makes_its_round_longer_once():
    deadline = begun(LIMITS, 0.0)
    deadline.open(1, 0.0)
    deadline.arrived("a", 1, 5.0)
    deadline.close({"b"}, 50.0)
    deadline.open(2, 50.0)
    assert deadline.wait_s(4, 1) == 15.0
    deadline.arrived("a", 1, 52.0)  # sent again, on a new connection: it was here in time
    assert deadline.wait_s(4, 1) == 15.0
    deadline.arrived("b", 1, 54.0)
    assert deadline.wait_s(4, 1) == 108.0
    deadline.arrived("b", 1, 59.0)
    assert deadline.wait_s(4, 1) == 108.0


def test_rounds_long_ago_are_forgotten():
    assert after([60.0] * 8 + [3.0] * KEPT_ROUNDS).wait_s(4, 1) == 13.0


lengths = st.lists(st.floats(0.01, 300.0), min_size=1, max_size=20)
limits = st.builds(
    DeadlineRule, st.floats(1, 200), st.floats(0, 20), st.floats(0, 30), st.floats(0, 1)
)


@given(lengths, limits, st.integers(0, 20), st.integers(1, 20))
def test_a_wait_has_bounds(lengths_s, limits, here, awaited):
    wait_s = after(lengths_s, limits).wait_s(here, awaited)
    assert min(limits.floor_s, limits.cap_s) <= wait_s <= limits.cap_s


@given(st.floats(0.1, 50.0), st.data())
def test_a_steady_network_is_never_cut(length_s, data):
    """Every round up to half longer or shorter: the last mask is in time, in any order."""
    lengths_s = data.draw(st.lists(st.floats(0.7, 1.4).map(lambda x: x * length_s), min_size=2))
    *before, last_s = lengths_s
    assert after(before).wait_s(9, 1) >= last_s - 1e-6


@given(lengths, st.integers(1, 20), st.integers(0, 20))
def test_more_masks_never_make_it_longer(lengths_s, here, awaited):
    deadline = after(lengths_s)
    assert deadline.wait_s(here + 1, awaited) <= deadline.wait_s(here, awaited + 1)
