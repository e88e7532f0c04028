"""What a conductor can do to the peers of a run; the supervisor lends it these hands."""

from __future__ import annotations

from typing import Any, Protocol


class Hands(Protocol):
    """One run's peers. A peer that is not there is left alone."""

    def signal(self, peer: str, number: int) -> None:
        """Signal a peer's process."""

    def start_again(self, peer: str, resume: bool) -> None:
        """Start the next process of a peer that is gone, from its state or from nothing."""

    def order(self, peer: str, order: dict[str, Any]) -> None:
        """Send an order to a peer."""

    def is_stopped(self, peer: str) -> bool:
        """Tell whether a peer's process is stopped (SIGSTOP has taken effect)."""

    def is_down(self, peer: str) -> bool:
        """Tell whether a peer has no process."""
