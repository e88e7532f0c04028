"""A run is given up when its silence is far longer than all before it, not while it is slow."""

from prisam_p2p.launch.watchdog import FIRST_ROUND_S, LEAST_S, Silence

WAIT_S = 720.0


def after_a_round_of(seconds):
    silence = Silence(0.0, WAIT_S)
    silence.end(False, seconds)
    silence.end(True, seconds)
    return silence


def test_a_first_round_may_take_hours():
    silence = Silence(0.0, WAIT_S)
    silence.end(False, 10.0)
    assert silence.too_long_s(10.0 + FIRST_ROUND_S) is None
    assert silence.too_long_s(11.0 + FIRST_ROUND_S) == 1.0 + FIRST_ROUND_S


def test_short_rounds_are_given_an_hour_and_what_a_peer_may_wait():
    silence = after_a_round_of(1.0)
    assert silence.too_long_s(1.0 + LEAST_S + WAIT_S) is None
    assert silence.too_long_s(2.0 + LEAST_S + WAIT_S) == 1.0 + LEAST_S + WAIT_S


def test_long_rounds_are_given_ten_times_the_longest_silence():
    silence = after_a_round_of(1000.0)
    assert silence.too_long_s(11_000.0) is None
    assert silence.too_long_s(11_001.0) == 10_001.0


def test_the_silence_of_those_who_hung_does_not_count():
    silence = after_a_round_of(1.0)
    silence.begin_again(9000.0)
    silence.end(True, 9001.0)
    assert silence.too_long_s(9002.0 + LEAST_S + WAIT_S) is not None
