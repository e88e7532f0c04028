"""What the processes of peers need to know of hosts."""

from __future__ import annotations

from typing import Protocol

from prisam_p2p.control.spec import Source


class Whereabouts(Protocol):
    """The hosts that peers live on; `LostHosts` where there are several."""

    def has_host(self, peer: str) -> bool:
        """Tell whether a peer's next process has a host; one that was lost may be replaced."""

    def start_later(self, peer: str, source: Source, first_round: int) -> None:
        """Start a process later that could not be started now, because its host was just lost.

        Args:
            source, first_round: as in `PeerControl.start_again`.
        """

    def end_host(self, peer: str) -> None:
        """Have the host that a peer lives on go down."""


class OneHost:
    """All peers live on the launcher's host, which is there while the launcher is."""

    def has_host(self, peer: str) -> bool:
        """See Whereabouts."""
        return True

    def start_later(self, peer: str, source: Source, first_round: int) -> None:
        """See Whereabouts."""
        raise ValueError(f"{peer} has no host of its own")

    def end_host(self, peer: str) -> None:
        """See Whereabouts."""
        raise ValueError(f"{peer} has no host of its own")
