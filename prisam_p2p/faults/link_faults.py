"""Faults of links, made so by the network: always the whole desired state, never a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from prisam_p2p.control.messages import Report
from prisam_p2p.faults.cast import Link
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.link_effects import effect, flap_cuts, fold
from prisam_p2p.netns.interface import Network
from prisam_p2p.plan.link_properties import CLEAR, LinkState

_LOOKED_AT = 8
"""Of a fault of many links so many are looked at for evidence: each costs a millisecond."""


class Links(Protocol):
    """The links of a run, and the faults on them.

    Attributes:
        TOUCHES: what `touched` counts.
    """

    TOUCHES: str

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Put a fault on its links."""

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Take a fault away, once."""

    def keep(self, now_s: float) -> None:
        """Make the links as the active faults want them now: a flap cuts and lets pass in turn."""

    def touched(self, name: str) -> int:
        """Return how many packets, or messages, a fault touched, as far as is known."""

    def take_in(self, report: Report) -> None:
        """A peer reports."""

    def peer_is_up(self, peer: str) -> None:
        """A peer's process has begun; its control line takes orders."""


class LinkFaults:
    """See Links: made so by the network.

    Args:
        links: directed; all of the run's.
        base: what some of them are like without faults; they are made so at once.
    """

    TOUCHES = "packets dropped, delayed or reset"

    def __init__(
        self, network: Network, links: Sequence[Link], base: Mapping[Link, LinkState]
    ) -> None:
        self._network, self._base = network, {**dict.fromkeys(links, CLEAR), **base}
        self._active: dict[str, tuple[Occurrence, float]] = {}
        self._before: dict[str, int] = {}
        self._touched: dict[str, int] = {}
        self._made: frozenset[str] = frozenset()
        if base:
            network.apply(self._base)

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Put a fault on its links."""
        if occurrence.id not in self._active:
            self._before[occurrence.id] = self._seen(occurrence)
            self._active[occurrence.id] = (occurrence, now_s)
            self.keep(now_s)

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Take a fault away, once."""
        if self._active.pop(occurrence.id, None) is not None:
            self._touched[occurrence.id] = self._seen(occurrence) - self._before[occurrence.id]
            self.keep(now_s)

    def touched(self, name: str) -> int:
        """Return how many packets a fault touched on the links looked at; 0 until it is healed."""
        return self._touched.get(name, 0)

    def take_in(self, report: Report) -> None:
        """A peer reports: nothing of its links."""

    def peer_is_up(self, peer: str) -> None:
        """A process has begun: its links are there."""

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
        """Return the packets touched so far, by a cut, or by what shapes links."""
        counts = [self._network.counts(link) for link in occurrence.links[:_LOOKED_AT]]
        if effect(occurrence).cut:
            return sum(count.cut + count.reset for count in counts)
        return sum(count.lost + (count.delayed or 0) for count in counts)
