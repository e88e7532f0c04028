"""The lease of a host: until when it may run its peers, and from when on others may run them. Pure.

Times are seconds of CLOCK_MONOTONIC. Both sides count from the same request, so what a clock shows
does not matter, only that it does not run 1 % fast or slow: the agent from when it sent a `Renew`,
the launcher from when it answered that, which is later. An agent that obeys has ended its peers
before the launcher replaces them, whatever messages were delayed or lost in between. One that is
stopped together with its peers cannot obey: against it, neighbors refuse earlier processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from prisam_p2p.processes.engine import HostLoss
from prisam_p2p.processes.watched_time import MOST_STEP_S, WatchedTime

RENEWALS = 5
"""So many requests an agent sends in the time of a lease: some may be lost or late."""

CLOCK_RATES = 1.01
"""A host's second may be so much longer than the launcher's."""

ENDING_S = 0.5
"""An agent whose lease is over has killed its peers within this time."""


class HeldLease:
    """The agent's side: until when this host may run its peers.

    Args:
        asked_s: when the agent sent what the launcher answered first (`AgentUp`).

    Attributes:
        ends_s: when it passes, as far as answers have come.
    """

    def __init__(self, lease_s: float, asked_s: float) -> None:
        self._lease_s, self.ends_s = lease_s, asked_s + lease_s
        self._asked: dict[int, float] = {}
        self._renewal, self._asked_s = 0, asked_s
        self._over = False

    def begin(self, lease_s: float, now_s: float) -> None:
        """Let it last so long from now on, unless answers move its end on; told by `BeginRun`.

        It is as if an answer had come that fast: nothing runs here before the next request, which
        is to be sent at once, was heard.
        """
        self._lease_s, self.ends_s = lease_s, now_s + lease_s

    def next_s(self) -> float:
        """Return when the next request is to be sent."""
        return self._asked_s + self._lease_s / RENEWALS

    def ask(self, now_s: float) -> int:
        """Return the number of a request that is sent now."""
        self._renewal, self._asked_s = self._renewal + 1, now_s
        self._asked[self._renewal] = now_s
        return self._renewal

    def answered(self, renewal: int) -> float | None:
        """Take an answer in; return when its request was sent, None if it is of no use any more.

        The lease runs from then, not from now: the answer may have been on its way for long.
        """
        sent_s = self._asked.get(renewal)
        if sent_s is None:
            return None
        self._asked = {number: at for number, at in self._asked.items() if number > renewal}
        self.ends_s = max(self.ends_s, sent_s + self._lease_s)
        return sent_s

    def is_over(self, now_s: float) -> bool:
        """Tell whether it has passed; it then stays so, whatever answers come."""
        self._over = self._over or now_s >= self.ends_s
        return self._over


@dataclass
class _HostState:
    """What the launcher knows of a host.

    Attributes:
        answered_s: when it last answered a request.
        heard_s: the same, in watched time.
        bound_s: within which its clock is known.
        lost: why it is lost, "" = it is not.
    """

    answered_s: float
    heard_s: float
    bound_s: float = 0.0
    lost: str = ""


class HostLeases:
    """The launcher's side: which hosts are lost, and when they can have no peers any more.

    A launcher that was itself stopped takes in what came meanwhile before it counts a host as lost:
    between two looks a quarter of the lease counts at most.
    """

    def __init__(self, lease_s: float, now_s: float) -> None:
        self._lease_s = lease_s
        self._time = WatchedTime(now_s, min(MOST_STEP_S, lease_s / 4))
        self._hosts: dict[str, _HostState] = {}
        self._losses: list[HostLoss] = []

    def begin(self, host: str, now_s: float) -> None:
        """A host begins: the first report of its agent is answered now."""
        self._hosts[host] = _HostState(now_s, self._time.look(now_s))

    def renew(self, host: str, now_s: float, bound_s: float | None = None) -> bool:
        """Tell whether a request of this host that has come is to be answered, now.

        A host that was counted as lost is lost for good: its peers may be running elsewhere.

        Args:
            bound_s: within which the host knows its clock, None = it does not yet.
        """
        known = self._hosts.get(host)
        if known is None or known.lost:
            return False
        known.answered_s, known.heard_s = now_s, self._time.look(now_s)
        known.bound_s = known.bound_s if bound_s is None else bound_s
        return True

    def lose(self, host: str, reason: str, now_s: float) -> None:
        """Count a host as lost, because the engine or the line to it says so."""
        if (known := self._hosts.get(host)) and not known.lost:
            self._lose(host, known, reason, now_s)

    def is_lost(self, host: str) -> bool:
        """Tell whether a host is counted as lost."""
        return host in self._hosts and bool(self._hosts[host].lost)

    def look(self, now_s: float) -> list[HostLoss]:
        """Return the hosts that are lost since the last look.

        To be called several times in a lease, each time after all that has come was taken in.
        """
        watched_s = self._time.look(now_s)
        for host, known in self._hosts.items():
            if not known.lost and watched_s - known.heard_s >= self._lease_s:
                self._lose(host, known, "it did not ask for its lease to be renewed", now_s)
        losses, self._losses = self._losses, []
        return losses

    def free_s(self, host: str) -> float:
        """Return from when on this host can have no peers, if its agent obeys its lease."""
        known = self._hosts[host]
        return known.answered_s + self._lease_s * CLOCK_RATES + known.bound_s + ENDING_S

    def _lose(self, host: str, known: _HostState, reason: str, now_s: float) -> None:
        known.lost = reason
        silent_s = now_s - known.answered_s
        self._losses.append(HostLoss(host, reason, silent_s, self.free_s(host)))
