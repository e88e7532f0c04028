"""A run hangs when its silence is far longer than any earlier one; a slow run does not."""

from prisam_p2p.launch.watchdog import FIRST_ROUND_S, LEAST_S, Watchdog

WAIT_S = 720.0


def after_a_round_of(seconds):
    watchdog = Watchdog(0.0, WAIT_S)
    watchdog.heard(seconds, False)
    watchdog.heard(seconds, True)
    return watchdog


def test_a_first_round_may_take_hours():
    watchdog = Watchdog(0.0, WAIT_S)
    watchdog.heard(10.0, False)
    assert watchdog.hangs_since_s(10.0 + FIRST_ROUND_S) is None
    assert watchdog.hangs_since_s(11.0 + FIRST_ROUND_S) == 1.0 + FIRST_ROUND_S


def test_short_rounds_are_given_an_hour_and_what_a_peer_may_wait():
    watchdog = after_a_round_of(1.0)
    assert watchdog.hangs_since_s(1.0 + LEAST_S + WAIT_S) is None
    assert watchdog.hangs_since_s(2.0 + LEAST_S + WAIT_S) == 1.0 + LEAST_S + WAIT_S


def test_long_rounds_are_given_ten_times_the_longest_silence():
    watchdog = after_a_round_of(1000.0)
    assert watchdog.hangs_since_s(11_000.0) is None
    assert watchdog.hangs_since_s(11_001.0) == 10_001.0


def test_the_silence_of_processes_that_hung_does_not_count():
    watchdog = after_a_round_of(1.0)
    watchdog.restart(9000.0)
    watchdog.heard(9001.0, True)
    assert watchdog.hangs_since_s(9002.0 + LEAST_S + WAIT_S) is not None
