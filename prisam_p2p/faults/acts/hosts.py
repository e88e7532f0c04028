"""host-down: a host with all that runs there is gone from one moment to the next."""

from __future__ import annotations

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing


class EndHost(Act):
    """Ends the agent of a peer's host, and every process there; nobody says goodbye.

    The evidence is that the launcher has noticed. It is healed for a peer that was started again on
    another host (`--on-host-loss restart`).
    """

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act. Each peer of the host has a firing of its own; the first one ends the host."""
        if self._peers.is_down(firing.peer):
            return False
        self._peers.end_host(firing.peer)
        return True

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act."""
        host = self._peers.lost_host(firing.peer)
        return f"its host {host} is lost" if host else None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act. Nobody but `--on-host-loss restart` brings the peer back."""
        return False

    def is_back(self, firing: Firing) -> bool:
        """See Act."""
        return firing.back_s is not None

    def explains_end(self, firing: Firing) -> bool:
        """See Act."""
        return firing.back_s is None
