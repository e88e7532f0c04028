from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.netns.delay_queue import DelayQueue


def test_packets_are_released_when_they_are_due():
    queue = DelayQueue(seed=0)
    queue.delay_s = 0.02
    queue.add(1.0, 7)
    queue.add(1.005, 8)
    assert queue.next_s == 1.02
    assert queue.release(1.019) is None
    assert queue.release(1.02) == 7
    assert queue.release(9.0) == 8
    assert queue.next_s is None


def test_a_packet_with_a_shorter_delay_does_not_overtake():
    queue = DelayQueue(seed=0)
    queue.delay_s = 1.0
    queue.add(0.0, 1)
    queue.delay_s = 0.0
    queue.add(0.1, 2)
    assert queue.release(0.5) is None
    assert queue.release(1.0) == 2


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 0.1), st.floats(0, 0.2))
def test_jitter_keeps_order_and_bounds(gaps_s, delay_s, jitter_s):
    queue = DelayQueue(seed=1)
    queue.delay_s, queue.jitter_s = delay_s, jitter_s
    now_s, added_s = 0.0, []
    for number, gap_s in enumerate(gaps_s):
        now_s += gap_s
        queue.add(now_s, number)
        added_s.append(now_s)
    released_s = []
    while queue.next_s is not None:
        due_s = queue.next_s
        last = queue.release(due_s)
        released_s += [due_s] * (last + 1 - len(released_s))
    assert len(released_s) == len(added_s)
    assert all(one <= other for one, other in pairwise(released_s))
    assert all(after >= before for after, before in zip(released_s, added_s, strict=True))
    assert released_s[0] <= added_s[0] + delay_s + jitter_s + 1e-9
