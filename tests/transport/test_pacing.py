import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.transport.pacing import Pacer, bytes_per_second

RATE = 1000.0


def send(pacer, sizes, idle_s):
    """Send as fast as the pacer lets, from a pause on; return when each went."""
    now, times = 5.0, []
    for size, pause in zip(sizes, idle_s, strict=True):
        now += pause
        now += pacer.delay_s(now)
        assert pacer.delay_s(now) <= 1e-9
        pacer.spend(size, now)
        times.append(now)
    return times


sends = st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 3)), min_size=1, max_size=20)


@given(sends)
def test_the_rate_is_held_to_within_one_chunk(sends):
    sizes, idle_s = zip(*sends, strict=True)
    times = send(Pacer(RATE), sizes, idle_s)
    for i in range(len(times)):
        for j in range(i, len(times)):
            assert sum(sizes[i:j]) <= RATE * (times[j] - times[i]) + 1e-3


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_the_rate_is_used_up(sizes):
    times = send(Pacer(RATE), sizes, [0.0] * len(sizes))
    for i, time_s in enumerate(times):
        assert time_s == pytest.approx(5.0 + sum(sizes[:i]) / RATE)


def test_an_idle_time_is_not_saved_up():
    pacer = Pacer(RATE)
    pacer.spend(100, 0.0)
    pacer.spend(100, 50.0)
    assert pacer.delay_s(50.0) == pytest.approx(0.1)
    assert pacer.delay_s(50.04) == pytest.approx(0.06)
    assert pacer.delay_s(50.2) == 0.0


def test_a_chunk_that_goes_too_early_delays_the_next_all_the_same():
    pacer = Pacer(RATE)
    for _ in range(3):
        pacer.spend(100, 2.0)
    assert pacer.delay_s(2.0) == pytest.approx(0.3)


def test_without_a_rate_nothing_waits():
    pacer = Pacer(None)
    pacer.spend(10**12, 0.0)
    assert pacer.delay_s(0.0) == 0.0
    assert pacer.peak_bytes_s == 10**12


@pytest.mark.parametrize("rate", [None, RATE])
def test_the_peak_is_the_busiest_second(rate):
    pacer = Pacer(rate)
    assert pacer.peak_bytes_s == 0
    for n_bytes, now_s in [(5, 0.1), (10, 3.0), (20, 3.9), (25, 4.0), (1, 9.5), (2, 9.6)]:
        pacer.spend(n_bytes, now_s)
    assert pacer.peak_bytes_s == 30


@pytest.mark.parametrize(("mbit_s", "expected"), [(None, None), (8, 1e6), (0.5, 62_500.0)])
def test_a_megabit_is_a_million_bits(mbit_s, expected):
    assert bytes_per_second(mbit_s) == expected
