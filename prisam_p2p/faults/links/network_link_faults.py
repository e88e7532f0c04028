"""Faults of links, and how a network of namespaces applies them.

The network is always given the whole desired state, never a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from prisam_p2p.control.messages import Report
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.links.link_effects import effect, fold
from prisam_p2p.faults.links.path_links import PathLinks
from prisam_p2p.netns.interface import Network
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

_LINKS_COUNTED = 8
"""Links of a fault whose packet counts are read for evidence; each costs a millisecond."""


class LinkFaults(Protocol):
    """The links of a run, and the faults on them.

    Attributes:
        TOUCHES: what `touched` counts.
    """

    TOUCHES: str

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Apply a fault to its links; the second time nothing happens."""

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Remove a fault from its links; the second time nothing happens."""

    def refresh(self, now_s: float) -> None:
        """Bring the links into the state that the active faults ask for now."""

    def touched(self, name: str) -> int:
        """Return how many packets (or messages) a fault touched, as far as is known."""

    def on_report(self, report: Report) -> None:
        """Take in a report of a peer."""

    def on_up(self, peer: str) -> None:
        """A process of a peer has started, and takes orders."""


class NetworkLinkFaults:
    """See LinkFaults: the network changes its links.

    Args:
        links: directed; all of the run's.
        base: the state of some links without faults; it is applied at once.
        hops: the most links between two peers that connect.
    """

    TOUCHES = "packets dropped, delayed or reset"

    def __init__(
        self,
        network: Network,
        links: Sequence[Link],
        base: Mapping[Link, LinkState],
        hops: int = 1,
    ) -> None:
        self._paths = PathLinks(links, hops)
        self._network, self._base = network, {**dict.fromkeys(links, CLEAR), **base}
        self._active: dict[str, tuple[Occurrence, float]] = {}
        self._before: dict[str, int] = {}
        self._touched: dict[str, int] = {}
        self._applied: frozenset[str] = frozenset()
        if base:
            self._set(self._base)

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Apply a fault to its links; the second time nothing happens."""
        if occurrence.id not in self._active:
            self._before[occurrence.id] = self._seen(occurrence)
            self._active[occurrence.id] = (occurrence, now_s)
            self.refresh(now_s)

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Remove a fault from its links; the second time nothing happens."""
        if self._active.pop(occurrence.id, None) is not None:
            self._touched[occurrence.id] = self._seen(occurrence) - self._before[occurrence.id]
            self.refresh(now_s)

    def touched(self, name: str) -> int:
        """Return the packets that a fault touched on the links counted; 0 until it is healed."""
        return self._touched.get(name, 0)

    def on_report(self, report: Report) -> None:
        """Peers report nothing of their links."""

    def on_up(self, peer: str) -> None:
        """Its links keep their state."""

    def refresh(self, now_s: float) -> None:
        """Bring the links into the state that the active faults ask for now."""
        acting = {
            name: occurrence
            for name, (occurrence, since_s) in self._active.items()
            if effect(occurrence, now_s - since_s) != CLEAR
        }
        if acting.keys() != self._applied:
            self._set(fold(self._base, acting.values()))
            self._applied = frozenset(acting)

    def _set(self, states: Mapping[Link, LinkState]) -> None:
        self._network.apply({**states, **self._paths.states(states)})

    def _seen(self, occurrence: Occurrence) -> int:
        """Return the packets touched so far, by a cut, or by what shapes links."""
        counts = [self._network.counts(link) for link in occurrence.links[:_LINKS_COUNTED]]
        if effect(occurrence).cut:
            return sum(count.cut + count.reset for count in counts)
        return sum(count.lost + (count.delayed or 0) for count in counts)
