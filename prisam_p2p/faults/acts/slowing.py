"""When a process must stand still to have a share of its speed. Pure: time is a number."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.link_faults import LinkFaults


class Throttle:
    """Stands whenever it stood too little so far, as a sigma-delta modulator does.

    So late looks do not add up: what one takes too long, the next ones give back.

    Args:
        factor: the share of its speed, in (0, 1).
    """

    def __init__(self, factor: float, now_s: float) -> None:
        self._factor, self._last_s = factor, now_s
        self.stood_s = self.watched_s = 0.0

    def look(self, now_s: float, stands: bool) -> bool:
        """Tell whether it is to stand from now on.

        Args:
            stands: whether it does now, and so did since the last look.
        """
        self.watched_s += now_s - self._last_s
        self.stood_s += (now_s - self._last_s) * stands
        self._last_s = now_s
        return self.stood_s < (1 - self._factor) * self.watched_s

    def skip(self, now_s: float) -> None:
        """What was since the last look does not count: somebody else stops it, or it is gone."""
        self._last_s = now_s

    @property
    def share(self) -> float:
        """The share of the time in which it stood."""
        return self.stood_s / self.watched_s if self.watched_s else 0.0


_NEAR = 0.1
"""The share may be so far from what was asked for: a tick of the launcher may be late."""

_LEAST_S = 0.2
"""Of a shorter time no share can be told: the launcher looks every 0.02 s."""


@dataclass
class _Slowed:
    """A slowed process; `stands` is what it was told last, `over` that it is healed."""

    factor: float
    throttle: Throttle
    stands: bool = False
    over: bool = False

    def evidence(self) -> str | None:
        """Return for how long it stood, if that is what was asked for."""
        watched_s, share = self.throttle.watched_s, self.throttle.share
        near = watched_s >= _LEAST_S and abs(1 - self.factor - share) <= _NEAR
        return f"it stood still for {share:.0%} of {watched_s:.2f} s" if near else None


class Slowing(Act):
    """SIGSTOP and SIGCONT by turns, many times a second; the system tells whether it stands."""

    def __init__(self, hands: Hands, links: LinkFaults | None) -> None:
        super().__init__(hands, links)
        self._slowed: dict[Part, _Slowed] = {}

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        factor = float(str(part.occurrence.parameters["factor"]))
        self._slowed[part] = _Slowed(factor, Throttle(factor, now_s))
        return True

    def keep(self, part: Part, now_s: float, paused: bool) -> None:
        """See Act."""
        slowed = self._slowed[part]
        if paused or self._hands.is_down(part.peer):
            slowed.throttle.skip(now_s)
            slowed.stands = False  # who paused it lets it go
            return
        stand = slowed.throttle.look(now_s, self._hands.is_stopped(part.peer))
        if stand != slowed.stands:
            self._hands.signal(part.peer, signal.SIGSTOP if stand else signal.SIGCONT)
            slowed.stands = stand

    def look(self, part: Part, now_s: float) -> str | None:
        """See Act. Known once it is healed."""
        return self._slowed[part].evidence() if self._slowed[part].over else None

    def ended(self, part: Part, code: int) -> str | None:
        """See Act."""
        return self._slowed[part].evidence()

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        slowed = self._slowed[part]
        slowed.over = True
        if slowed.stands:
            self._hands.signal(part.peer, signal.SIGCONT)
        return True
