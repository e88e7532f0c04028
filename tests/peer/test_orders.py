"""What a peer knows of where its neighbors are, whatever comes first."""

from prisam_p2p.control.messages import Fence, Fenced, Roster, RosterEntry, RosterUpdate
from prisam_p2p.peer.orders import KnownRoster, obey_fences


def entry(peer, port, incarnation=0):
    return RosterEntry(peer, "127.0.0.1", port, incarnation)


def test_an_older_or_equal_update_is_ignored():
    taken_up = []
    known = KnownRoster(taken_up.append)
    assert known.merge(Roster(3, (entry("b", 1), entry("c", 2)))) == [entry("b", 1), entry("c", 2)]
    known.update(RosterUpdate(2, entry("b", 9)))
    known.update(RosterUpdate(3, entry("b", 9)))
    known.update(RosterUpdate(4, entry("b", 5, 1)))
    known.update(RosterUpdate(4, entry("b", 6, 1)))
    known.update(RosterUpdate(4, entry("c", 7)))  # each neighbor has its own version
    assert taken_up == [entry("b", 1), entry("c", 2), entry("b", 5, 1), entry("c", 7)]


def test_an_update_that_comes_before_the_roster_stays():
    taken_up = []
    known = KnownRoster(taken_up.append)
    known.update(RosterUpdate(5, entry("b", 5)))
    assert known.merge(Roster(4, (entry("b", 1),))) == [entry("b", 5)]
    assert taken_up == [entry("b", 5)]


def test_a_neighbor_that_is_new_is_taken_in_whatever_the_version():
    taken_up = []
    known = KnownRoster(taken_up.append)
    known.merge(Roster(7, (entry("b", 1),)))
    known.update(RosterUpdate(8, entry("d", 4)))
    assert known.merge(Roster(9, ())) == [entry("b", 1), entry("d", 4)]
    assert taken_up == [entry("b", 1), entry("d", 4)]


def test_roster_that_is_read_after_a_fence_does_not_bring_the_lost_process_back():
    taken_up = []
    known = KnownRoster(taken_up.append)
    assert known.fence(Fence("b", 1))
    assert known.merge(Roster(3, (entry("b", 1), entry("c", 2)))) == [entry("c", 2)]
    known.update(RosterUpdate(4, entry("b", 5, 1)))
    assert taken_up == [entry("c", 2), entry("b", 5, 1)]


def test_fence_of_a_process_that_a_later_one_has_followed_changes_nothing():
    known = KnownRoster(lambda _entry: None)
    known.update(RosterUpdate(4, entry("b", 5, 1)))
    assert not known.fence(Fence("b", 1))
    assert known.merge(Roster(4, ())) == [entry("b", 5, 1)]


def test_fence_is_answered_once_the_transport_has_put_it_up():
    done, line = [], FakeLine()
    known, transport = KnownRoster(lambda _entry: None), FakeTransport(done)
    obey_fences(line, known, transport)
    line.handler(Fence("b", 2))
    assert line.sent == []
    done.pop()()
    assert line.sent == [Fenced("b", 2)]


def test_fence_is_answered_at_once_where_there_is_nothing_to_fence():
    known, line = KnownRoster(lambda _entry: None), FakeLine()
    obey_fences(line, known, None)
    line.handler(Fence("b", 2))
    assert line.sent == [Fenced("b", 2)]


class FakeLine:
    """Takes the handler of fences, and keeps what is sent."""

    def __init__(self):
        self.sent = []
        self.send = self.sent.append

    def handle(self, kind, handler):
        assert kind is Fence
        self.handler = handler


class FakeTransport:
    """Hands what is to be called when a fence is up to `done`."""

    def __init__(self, done):
        self.done = done

    def fence(self, fence, then):
        self.done.append(then)
