"""What a peer knows of where its neighbors are, whatever comes first."""

from prisam_p2p.control.messages import Roster, RosterEntry, RosterUpdate
from prisam_p2p.peer.orders import KnownRoster


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
