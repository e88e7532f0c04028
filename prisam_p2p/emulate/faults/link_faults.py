"""Faults of links, made so by the network: always the whole desired state, never a change."""

from __future__ import annotations

from collections.abc import Sequence

from prisam_p2p.emulate.faults.cast import Link
from prisam_p2p.emulate.faults.fault_plan import Occurrence
from prisam_p2p.emulate.faults.link_state import flap_cuts, fold
from prisam_p2p.emulate.network.interface import Network
from prisam_p2p.emulate.network.link_state import CLEAR

_LOOKED_AT = 8
"""Of a fault of many links so many are looked at for evidence: each costs a millisecond."""


class LinkFaults:
    """The links of a run, and the faults on them.

    Args:
        links: directed; all of the run's.
    """

    def __init__(self, network: Network, links: Sequence[Link]) -> None:
        self._network, self._base = network, dict.fromkeys(links, CLEAR)
        self._active: dict[str, tuple[Occurrence, float]] = {}
        self._before: dict[str, int] = {}
        self._made: frozenset[str] = frozenset()

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Put a fault on its links."""
        if occurrence.id not in self._active:
            self._before[occurrence.id] = self._seen(occurrence)
            self._active[occurrence.id] = (occurrence, now_s)
            self.keep(now_s)

    def heal(self, occurrence: Occurrence, now_s: float) -> int:
        """Take a fault away; return how many packets it touched on the links looked at."""
        if self._active.pop(occurrence.id, None) is None:
            return 0
        touched = self._seen(occurrence) - self._before[occurrence.id]
        self.keep(now_s)
        return touched

    def keep(self, now_s: float) -> None:
        """Make the links as the active faults want them now: a flap cuts and lets pass in turn."""
        acting = {
            name: occurrence
            for name, (occurrence, since_s) in self._active.items()
            if occurrence.kind != "flap" or flap_cuts(occurrence, now_s - since_s)
        }
        if acting.keys() != self._made:
            self._network.apply(fold(self._base, acting.values()))
            self._made = frozenset(acting)

    def _seen(self, occurrence: Occurrence) -> int:
        counts = [self._network.counts(link) for link in occurrence.links[:_LOOKED_AT]]
        return sum(count.evidence + (count.delayed or 0) for count in counts)
