"""Which rounds a peer runs when its neighbors have gone on without it."""

from types import SimpleNamespace

import pytest

from prisam_p2p.core.participation import EVERYBODY, Participation
from prisam_p2p.measure import records
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.peer import Peer


def a_peer(participation=EVERYBODY, **more):
    return SimpleNamespace(peer_id="a", marks=Marks(), _participation=participation, **more)


def rounds_run(reached, first=0, rounds=8, **more):
    """Return the rounds that are run, where after each the neighbors have reached `reached`."""
    notes, reached = [], iter(reached)
    neighbors = SimpleNamespace(reached=lambda: next(reached))
    journal = SimpleNamespace(write=notes.append)
    me = a_peer(rounds=rounds, _neighbors_if_any=neighbors, _journal=journal, **more)
    return list(Peer.rounds_from(me, first)), notes


def test_a_peer_that_keeps_up_runs_all_rounds():
    assert rounds_run([0, 2, 3, 3, 5, 6, 7, 7]) == ([*range(8)], [])


@pytest.mark.parametrize(
    ("reached", "run", "noted"),
    [
        ([4, 4, 5, 6, 7, 7], [0, 4, 5, 6, 7], [records.CaughtUp(0, 4)]),
        ([99, 99], [0, 7], [records.CaughtUp(0, 7)]),  # the last round is always run
        ([0, 0, 5, 5, 7, 7], [0, 1, 2, 5, 6, 7], [records.CaughtUp(2, 5)]),
    ],
)
def test_a_peer_that_was_left_behind_goes_on_where_the_others_are(reached, run, noted):
    assert rounds_run(reached) == (run, noted)


def test_a_peer_that_talks_to_nobody_runs_all_rounds():
    me = a_peer(rounds=3, _neighbors_if_any=None)
    assert list(Peer.rounds_from(me, 1)) == [1, 2]


def rounds_run_of_few(reached):
    """As `rounds_run`, of a peer that sits out rounds 1, 2, 4 and 6; with those that it passed."""
    draw = next(p for p in map(of_two, range(1000)) if sat_out_by(p) == [1, 2, 4, 6])
    passed = []
    run, notes = rounds_run(reached, participation=draw, _sit_out=passed.append)
    return run, passed, notes


def of_two(seed):
    return Participation(("a", "b"), 1, seed, rounds=8)


def sat_out_by(participation):
    return [t for t in range(8) if not participation.takes_part("a", t)]


def test_neighbors_ahead_in_rounds_that_a_peer_sits_out_have_not_left_it_behind():
    # Its next round is 3: neighbors that announced 3 have done without it in 1 and 2 only.
    run, passed, notes = rounds_run_of_few([3, 3, 3, 5, 5, 7, 7, 7])
    assert (run, passed, notes) == ([0, 3, 5, 7], [1, 2, 4, 6], [])


def test_neighbors_that_passed_a_round_of_its_own_have_left_it_behind():
    run, passed, notes = rounds_run_of_few([4, 5, 5, 7, 7])
    assert (run, passed) == ([0, 5, 7], [4, 6])
    assert notes == [records.CaughtUp(0, 4)]
