"""The time left, in runs made by hand: the true end of each is known."""

import itertools

import pytest

from prisam_p2p.launch.time_left import TimeLeft

ROUNDS = 40
PEERS = [f"p{i:02}" for i in range(12)]


class HandMadeRun:
    """A run with a clock of its own, whose peers finish their rounds together."""

    def __init__(self, peers=PEERS, first_round=0, rounds=ROUNDS):
        self.now_s, self.done, self.peers = 0.0, first_round, list(peers)
        self.time_left = TimeLeft(rounds)
        for peer in self.peers:
            self.time_left.begins(peer, first_round, 0.0)

    def rounds(self, *took_s):
        """Do a round of each duration; return the time left, asked every 0.2 s."""
        shown = []
        for each in took_s:
            end_s = self.now_s + each
            shown += self.silence(each)
            self.now_s, self.done = end_s, self.done + 1
            for peer in self.peers:
                self.time_left.finishes_round(peer, self.done, self.now_s)
            shown.append(self.left())
        return shown

    def silence(self, duration_s):
        """Let time pass in which no peer finishes a round."""
        began_s, shown = self.now_s, []
        for step in range(1, int(duration_s / 0.2)):
            self.now_s = began_s + 0.2 * step
            shown.append(self.left())
        return shown

    def left(self):
        return self.time_left.left_s(self.now_s, self.peers)


def known_rises(shown):
    """Return by how much the time left rose, each time, between two that were known."""
    pairs = itertools.pairwise(shown)
    return [b - a for a, b in pairs if a is not None and b is not None and b > a + 1e-6]


def test_nothing_is_said_before_the_first_round_is_over():
    run = HandMadeRun()
    *silence, first = run.rounds(4.0)
    assert set(silence) == {None}
    assert first == pytest.approx(39 * 4.0)


def test_a_steady_run_is_told_within_some_percent_and_counted_down():
    run = HandMadeRun()
    took_s = [5.0, *([2.0, 2.2, 1.8, 2.1, 1.9] * 8)[:39]]  # the first trains the whole model
    end_s = sum(took_s)
    run.rounds(*took_s[:6])
    for each in took_s[6:-1]:
        shown = run.rounds(each)
        assert known_rises(shown[:-1]) == []  # it falls while nothing is heard
        if end_s - run.now_s > 6:
            assert run.left() == pytest.approx(end_s - run.now_s, rel=0.08)
    assert run.rounds(took_s[-1])[-1] is None


def test_rounds_that_are_longer_now_and_then_count_in_full():
    """Every fifth round trains the union of several models, and takes twice the time."""
    run = HandMadeRun()
    run.rounds(*[1.0, 1.0, 1.0, 1.0, 2.0] * 4)
    assert run.left() == pytest.approx(4 * 6.0)


def test_in_a_stall_the_time_left_falls_and_is_then_unknown():
    run = HandMadeRun()
    run.rounds(*[1.0] * 10)
    shown = run.silence(600.0)
    assert known_rises(shown) == []
    assert shown[0] == pytest.approx(29.8)
    late = shown.index(None)
    assert 3.0 <= 0.2 * late <= 10.0  # long before the estimated end
    assert shown[late:] == [None] * (len(shown) - late)


def test_a_stall_that_is_over_says_little_of_the_rounds_to_come():
    run = HandMadeRun()
    run.rounds(*[1.0] * 10, 60.0)
    assert run.left() == pytest.approx(29.0, rel=0.25)


def test_lost_peers_are_not_waited_for():
    """Four of twelve end in round 2: the estimate is that of the eight, at once."""
    run = HandMadeRun()
    run.rounds(1.0, 1.0)
    run.peers = PEERS[4:]
    shown = run.rounds(*[1.0] * 10)
    assert None not in shown
    assert run.left() == pytest.approx(28.0)
    assert known_rises(shown) == []


def test_the_slowest_peer_decides():
    """Peers that never wait for each other end at different times."""
    time_left = TimeLeft(10)
    for peer, round_s in (("fast", 1.0), ("slow", 5.0)):
        time_left.begins(peer, 0, 0.0)
        time_left.finishes_round(peer, 1, round_s)
    assert time_left.left_s(5.0, ["fast", "slow"]) == 45.0
    assert time_left.left_s(5.0, ["fast"]) == 5.0


def test_a_continued_run_has_done_its_first_rounds_in_no_time_of_its_own():
    run = HandMadeRun(first_round=30)
    assert run.left() is None
    assert run.rounds(2.0)[-1] == pytest.approx(18.0)


def test_skipped_rounds_share_the_time_that_passed():
    time_left = TimeLeft(20)
    time_left.begins("a", 0, 0.0)
    time_left.finishes_round("a", 10, 20.0)
    assert time_left.left_s(20.0, ["a"]) == 20.0


def test_a_peer_that_is_back_keeps_the_pace_that_it_had():
    time_left = TimeLeft(10)
    time_left.begins("a", 0, 0.0)
    time_left.finishes_round("a", 1, 2.0)
    time_left.begins("a", 5, 100.0)
    assert time_left.left_s(100.0, ["a"]) == 10.0


def test_nothing_is_known_of_no_peer():
    assert TimeLeft(3).left_s(1.0, []) is None
    assert TimeLeft(3).left_s(1.0, ["a"]) is None
