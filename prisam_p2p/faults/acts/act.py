"""What the injector asks of an act."""

from __future__ import annotations

from abc import ABC, abstractmethod

from prisam_p2p.control.messages import Report
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl


class Act(ABC):
    """Applies, verifies and heals the firings of one kind of fault.

    Evidence is a sentence for the journal, or None. Subclasses override the questions that can
    prove their kind; times are seconds of the run's clock.

    Args:
        peers: of the run.
        links: of the run; None where the peers do not communicate.
    """

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        self._peers, self._links = peers, links

    @staticmethod
    def missing_here() -> str | None:
        """Return what this machine would need to apply it, None if it can."""
        return None

    @abstractmethod
    def apply(self, firing: Firing, now_s: float) -> bool:
        """Apply it; return False where the peer is down, so that there is nothing to do."""

    def applied_by_peer(self, firing: Firing, report: Report) -> bool:
        """Tell whether a report shows that the peer has done it by itself, as its spec says."""
        return False

    def on_tick(self, firing: Firing) -> None:  # noqa: B027 - optional
        """Do what has to be done at each tick while it is active."""

    def observe(self, firing: Firing, now_s: float) -> str | None:
        """Return evidence; asked at each tick until there is some, and once after the heal."""
        return None

    def awaits_evidence(self, firing: Firing) -> bool:
        """Tell whether `observe` is to be asked again, though it is healed: another host tells."""
        return False

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """Return the evidence in the end of the peer's process with exit code `code`."""
        return None

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """Return the evidence in a report of the peer."""
        return None

    def on_ready(self, firing: Firing) -> str | None:
        """Return the evidence in the fact that a later process of the peer is connected."""
        return None

    @abstractmethod
    def heal(self, firing: Firing, now_s: float) -> bool:
        """Heal it; return False where it is healed only once the peer `is_back`."""

    def is_back(self, firing: Firing) -> bool:
        """Tell whether it is healed now that a later process of the peer is connected."""
        return False

    def explains_end(self, firing: Firing) -> bool:
        """Tell whether this firing, while active, is why the peer has no process."""
        return False
