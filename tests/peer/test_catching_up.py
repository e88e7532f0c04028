"""Which rounds a peer runs when its neighbors have gone on without it."""

from types import SimpleNamespace

import pytest

from prisam_p2p.core.participation import EVERYBODY
from prisam_p2p.measure import records
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.peer import Peer


def a_peer(**more):
    return SimpleNamespace(peer_id="a", marks=Marks(), _participation=EVERYBODY, **more)


def rounds_run(reached, first=0, rounds=8):
    """Return the rounds that are run, where after each the neighbors have reached `reached`."""
    notes, reached = [], iter(reached)
    neighbors = SimpleNamespace(reached=lambda: next(reached))
    journal = SimpleNamespace(write=notes.append)
    me = a_peer(rounds=rounds, _neighbors_if_any=neighbors, _journal=journal)
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
