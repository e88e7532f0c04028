from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.netns.holder_line import Held


def test_packets_leave_when_they_are_due():
    held = Held(seed=0)
    held.delay_s = 0.02
    held.add(1.0, 7)
    held.add(1.005, 8)
    assert held.next_s == 1.02
    assert held.release(1.019) is None
    assert held.release(1.02) == 7
    assert held.release(9.0) == 8
    assert held.next_s is None


def test_a_shorter_delay_overtakes_nothing():
    held = Held(seed=0)
    held.delay_s = 1.0
    held.add(0.0, 1)
    held.delay_s = 0.0
    held.add(0.1, 2)
    assert held.release(0.5) is None
    assert held.release(1.0) == 2


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 0.1), st.floats(0, 0.2))
def test_jitter_keeps_order_and_bounds(gaps_s, delay_s, jitter_s):
    held = Held(seed=1)
    held.delay_s, held.jitter_s = delay_s, jitter_s
    now_s, came = 0.0, []
    for number, gap_s in enumerate(gaps_s):
        now_s += gap_s
        held.add(now_s, number)
        came.append(now_s)
    left = []
    while held.next_s is not None:
        due_s = held.next_s
        last = held.release(due_s)
        left += [due_s] * (last + 1 - len(left))
    assert len(left) == len(came)
    assert all(one <= other for one, other in pairwise(left))
    assert all(l_s >= c_s for l_s, c_s in zip(left, came, strict=True))
    assert left[0] <= came[0] + delay_s + jitter_s + 1e-9
