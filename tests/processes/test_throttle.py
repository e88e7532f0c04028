import pytest

from prisam_p2p.processes.throttle import Throttle, Throttled


def stood(factor, ticks):
    """Return the share that a process stood which obeys at once, looked at after these ticks."""
    throttle, now_s, stands, really_s = Throttle(factor, 0.0), 0.0, False, 0.0
    for tick_s in ticks:
        now_s += tick_s
        really_s += tick_s * stands
        stands = throttle.look(now_s, stands)
    assert throttle.suspended_s == pytest.approx(really_s)
    assert throttle.watched_s == pytest.approx(now_s)
    return throttle.suspended_s / throttle.watched_s


@pytest.mark.parametrize("factor", [0.05, 0.3, 0.5, 0.9])
def test_it_stands_for_the_rest_of_its_speed(factor):
    assert stood(factor, [0.02] * 500) == pytest.approx(1 - factor, abs=0.01)


def test_late_looks_are_made_up_for():
    assert stood(0.5, ([0.02] * 20 + [0.3] + [0.02] * 20) * 10) == pytest.approx(0.5, abs=0.02)


def test_a_process_that_does_not_obey_is_seen_not_to():
    throttle = Throttle(0.5, 0.0)
    assert all(throttle.look(0.02 * n, is_suspended=False) for n in range(1, 10))
    assert throttle.suspended_s == 0


def test_time_that_others_took_does_not_count():
    throttle = Throttle(0.5, 0.0)
    throttle.look(1.0, is_suspended=True)
    throttle.skip(5.0)
    throttle.look(6.0, is_suspended=False)
    assert throttle.figures == Throttled(watched_s=2.0, suspended_s=1.0)
