"""slow: a process is suspended for a part of the time."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl


class Throttle:
    """Decides when a process must be suspended to run for a fraction of the time. Pure.

    It is suspended whenever it was suspended too little so far, as in a sigma-delta modulator. So
    late looks do not add up: the next ones make up for them.

    Args:
        factor: the fraction of the time for which it runs, in (0, 1).
        now_s: the time of the first look.
    """

    def __init__(self, factor: float, now_s: float) -> None:
        self._factor, self._last_s = factor, now_s
        self.suspended_s = self.watched_s = 0.0

    def look(self, now_s: float, is_suspended: bool) -> bool:
        """Tell whether the process must be suspended from now on.

        Args:
            is_suspended: whether it is now, and was since the last look.
        """
        self.watched_s += now_s - self._last_s
        self.suspended_s += (now_s - self._last_s) * is_suspended
        self._last_s = now_s
        return self.suspended_s < (1 - self._factor) * self.watched_s

    def skip(self, now_s: float) -> None:
        """Do not count the time since the last look: another fault suspends it, or it is gone."""
        self._last_s = now_s

    @property
    def share(self) -> float:
        """The fraction of the time for which it was suspended."""
        return self.suspended_s / self.watched_s if self.watched_s else 0.0


_TOLERANCE = 0.1
"""The share may differ by this much from the factor: the launcher's ticks may be late."""

_MIN_WATCHED_S = 0.2
"""A shorter time is no evidence: the launcher ticks every 0.02 s."""


@dataclass
class _Slowed:
    """A slowed process.

    Attributes:
        is_suspended: by the last signal that it got.
        is_healed: what the throttle counted is final.
    """

    factor: float
    throttle: Throttle
    is_suspended: bool = False
    is_healed: bool = False

    def evidence(self) -> str | None:
        """Return for how long it was suspended, None where that is not what `factor` asks for."""
        watched_s, share = self.throttle.watched_s, self.throttle.share
        near = watched_s >= _MIN_WATCHED_S and abs(1 - self.factor - share) <= _TOLERANCE
        return f"it stood still for {share:.0%} of {watched_s:.2f} s" if near else None


class SlowDown(Act):
    """Sends SIGSTOP and SIGCONT in turn, many times a second; the system tells the state."""

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._slowed: dict[Firing, _Slowed] = {}

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        factor = float(str(firing.occurrence.parameters["factor"]))
        self._slowed[firing] = _Slowed(factor, Throttle(factor, now_s))
        return True

    def on_tick(self, firing: Firing, now_s: float, paused: bool) -> None:
        """See Act."""
        slowed = self._slowed[firing]
        if paused or self._peers.is_down(firing.peer):
            slowed.throttle.skip(now_s)
            slowed.is_suspended = False  # the other fault resumes it
            return
        suspend = slowed.throttle.look(now_s, self._peers.is_stopped(firing.peer))
        if suspend != slowed.is_suspended:
            self._peers.signal(firing.peer, signal.SIGSTOP if suspend else signal.SIGCONT)
            slowed.is_suspended = suspend

    def observe(self, firing: Firing, now_s: float) -> str | None:
        """See Act. There is evidence once it is healed."""
        return self._slowed[firing].evidence() if self._slowed[firing].is_healed else None

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act."""
        return self._slowed[firing].evidence()

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        slowed = self._slowed[firing]
        slowed.is_healed = True
        if slowed.is_suspended:
            self._peers.signal(firing.peer, signal.SIGCONT)
        return True
