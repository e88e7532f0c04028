"""Barriers: peers wait at the beginning of a phase, so that a fault hits them in a known state.

The peers of a barrier wait there until all of them are there or cannot come. Then the faults that
are due are applied or healed, and when these have taken effect all peers are released. So the
effect of a fault does not depend on which peer is faster. Pure: time is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from prisam_p2p.faults.barrier_plan import PhaseStart
from prisam_p2p.faults.firing import Firing

TIMEOUT_S = 1800.0
"""A barrier does not wait longer for missing peers, nor for what was done there."""


@dataclass
class Barrier:
    """One barrier of a run.

    Attributes:
        at: the round and phase before which its peers wait.
        expected: all of its peers.
        waiting: peers that are there.
        reached_s: when the first peer arrived; None = none has.
        acted_s: when the faults that were due were applied or healed; None = not yet.
        applied: the firings that were applied here.
        awaited: peers that must come back here before all are released.
        released: peers that arrive later are released at once.
    """

    at: PhaseStart
    expected: frozenset[str]
    waiting: set[str] = field(default_factory=set)
    reached_s: float | None = None
    acted_s: float | None = None
    applied: list[Firing] = field(default_factory=list)
    awaited: set[str] = field(default_factory=set)
    released: bool = False

    def is_complete(self, cannot_come: Callable[[str, int], bool], now_s: float) -> bool:
        """Tell whether no peer is still to arrive before the due faults are applied.

        Args:
            cannot_come: (peer, round) -> whether it will not arrive.
        """
        if self.reached_s is None or now_s - self.reached_s > TIMEOUT_S:
            return True
        missing = self.expected - self.waiting
        return all(cannot_come(peer, self.at[0]) for peer in missing)

    def may_release(
        self,
        is_lost: Callable[[str, int], bool],
        is_changing: Callable[[str], bool],
        now_s: float,
    ) -> bool:
        """Tell whether the faults, or their heals, have taken effect, and awaited peers are there.

        Args:
            is_lost: (peer, round) -> whether it will not come back.
            is_changing: peer -> whether a heal has still to take effect there.
        """
        if self.acted_s is None:
            return False
        if now_s - self.acted_s > TIMEOUT_S:
            return True
        back = all(p in self.waiting or is_lost(p, self.at[0]) for p in self.awaited)
        settled = all(firing.settled for firing in self.applied)
        return back and settled and not any(map(is_changing, self.expected))

    def await_again(self, peer: str) -> None:
        """Wait for the next process of a peer to arrive here."""
        self.waiting.discard(peer)
        self.awaited.add(peer)


class Barriers:
    """All barriers of a run.

    Args:
        of_peers: peer -> its barriers (see `barriers_of`).
    """

    def __init__(self, of_peers: Mapping[str, Collection[PhaseStart]]) -> None:
        found: dict[PhaseStart, set[str]] = {}
        for peer, starts in of_peers.items():
            for at in starts:
                found.setdefault(at, set()).add(peer)
        self._all = {at: Barrier(at, frozenset(peers)) for at, peers in found.items()}

    def arrive(self, peer: str, at: PhaseStart, now_s: float) -> Barrier:
        """Note that a peer waits at a barrier."""
        barrier = self._all[at]
        barrier.waiting.add(peer)
        if barrier.reached_s is None:
            barrier.reached_s = now_s
        return barrier

    def leave(self, peer: str) -> None:
        """Note that a peer waits nowhere: it was released, or its process ended."""
        for barrier in self._all.values():
            barrier.waiting.discard(peer)

    def under_way(self) -> list[Barrier]:
        """Return the barriers that a peer has reached and that are not released."""
        return [b for b in self._all.values() if b.reached_s is not None and not b.released]

    def is_overdue(self, peer: str) -> bool:
        """Tell whether a peer waits at a barrier that is released already."""
        return any(b.released and peer in b.waiting for b in self._all.values())
