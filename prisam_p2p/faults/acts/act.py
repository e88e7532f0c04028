"""How a kind of fault is done to a peer, proven, and undone. One small module for each."""

from __future__ import annotations

from abc import ABC, abstractmethod

from prisam_p2p.control.messages import Report
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.link_faults import Links


class Act(ABC):
    """What a injector calls; what a kind has no use for stays as it is here.

    Args:
        links: of the run.
    """

    def __init__(self, hands: Hands, links: Links | None) -> None:
        self._hands, self._links = hands, links

    @abstractmethod
    def apply(self, part: Part, now_s: float) -> bool:
        """Do it; False where there is nobody to do it to."""

    def keep(self, part: Part, now_s: float, paused: bool) -> None:  # noqa: B027 - a hook, most have none
        """Do what it takes at each tick while it is active.

        Args:
            paused: another fault stops the process.
        """

    def look(self, part: Part, now_s: float) -> str | None:
        """Return evidence that it bit; asked at each tick until there is some, and once healed."""
        return None

    def ended(self, part: Part, code: int) -> str | None:
        """Return what the end of the peer's process with `code` proves."""
        return None

    def told(self, part: Part, report: Report) -> str | None:
        """Return what a report of the peer proves."""
        return None

    def ready(self, part: Part) -> str | None:
        """Return what it proves that a later process of the peer is connected."""
        return None

    @abstractmethod
    def heal(self, part: Part, now_s: float) -> bool:
        """Undo it; False where it is undone only once the peer `is_back`."""

    def is_back(self, part: Part) -> bool:
        """Tell whether it is undone now that a later process of the peer is connected."""
        return False

    def explains_end(self, part: Part) -> bool:
        """Tell whether it is because of this, while it is active, that the peer is gone."""
        return False
