"""The states that hosts send to the launcher, and which of them it keeps.

Peers of different hosts are collected at different moments, and a launcher can be killed at any:
what it has by then must hold a round of which every peer has a state, for the resumed run to begin
with. So no state goes before all peers have one of a later round in common. Peers that are gone for
good do not count: the others' states would wait for them to the end, and a resumed run would begin
where they were lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from prisam_p2p.measure.state import (
    MOST_EARLIER,
    MOST_SPARSE,
    arrange_states,
    drop_surplus,
    kept_states,
    last_of,
    rounds_to_begin_with,
    state_round,
)


def common_round(states: Iterable[Collection[int]]) -> int:
    """Return the latest round that all peers can begin with, 0 if there is none.

    Args:
        states: of each peer, the rounds that it has a state for.
    """
    able = [rounds_to_begin_with(each) for each in states]
    return max(set.intersection(*able), default=0) if able else 0


class CollectedStates:
    """The states in a run's folder that come from hosts.

    Args:
        folder: of the states.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds: dict[str, set[int]] = {}
        self._gone: set[str] = set()

    def expect(self, peers: Iterable[str]) -> None:
        """Count with states of these peers from now on."""
        for peer in peers:
            if peer not in self._rounds:
                self._rounds[peer] = set(kept_states(self._folder / f"{peer}.safetensors"))

    def go_on_without(self, peers: Iterable[str]) -> None:
        """Keep states of the others for no peer of these, which are gone for good; for all others.

        Those that these peers have stay, and some may still be on their way.
        """
        self._gone = {*peers}

    def place(self, arrived: Path, path: Path) -> None:
        """Put a state that came in its place, and drop those that nobody needs any more.

        Args:
            arrived: is moved.
            path: its place at its host. If that is the last state's, states of later rounds are
                of a course that the peer has left, and go.

        Raises:
            ConfigError: it is no state, or one that was there is none.
            OSError: it cannot be moved.
        """
        own, last = state_round(arrived), last_of(path)
        there = kept_states(last)
        for t in [t for t in there if t > own] if path == last else ():
            there.pop(t).unlink()
        arrange_states(last, {**there, own: arrived})
        peer = last.name.partition(".")[0]
        self._rounds[peer] = {*there, own}
        there_are = [t for each, t in self._rounds.items() if each not in self._gone]
        self._drop(last, 0 if peer in self._gone else common_round(there_are))
        self._rounds[peer] = set(kept_states(last))

    def _drop(self, last: Path, since: int) -> None:
        kept = kept_states(last)
        for t in sorted(kept)[:-2]:  # those two are kept of every peer, wherever it lives
            if t < since:
                kept[t].unlink()
        drop_surplus(last, MOST_EARLIER, MOST_SPARSE)
