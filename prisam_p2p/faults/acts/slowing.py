"""slow: a process is suspended for a part of the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.processes.throttle import Throttled

_TOLERANCE = 0.1
"""The share may differ by this much from the factor: looks at the process may be late."""

_MIN_WATCHED_S = 0.2
"""A shorter time is no evidence: a process is looked at every 0.02 s."""


@dataclass
class _Slowed:
    """What a firing has slowed.

    Attributes:
        numbers: the peer's processes since then, each throttled.
        is_over: none is throttled any more.
    """

    factor: float
    numbers: list[int] = field(default_factory=list)
    is_over: bool = False


class SlowDown(Act):
    """Sends SIGSTOP and SIGCONT in turn, many times a second; the system tells the state."""

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._slowed: dict[Firing, _Slowed] = {}

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._slowed[firing] = _Slowed(float(str(firing.occurrence.parameters["factor"])))
        self.on_tick(firing)
        return True

    def on_tick(self, firing: Firing) -> None:
        """See Act. A later process of the peer is slowed, too."""
        slowed, number = self._slowed[firing], self._peers.number(firing.peer)
        if number is not None and number not in slowed.numbers:
            self._peers.acts.throttle(number, slowed.factor)
            slowed.numbers.append(number)

    def observe(self, firing: Firing, now_s: float) -> str | None:
        """See Act. There is evidence once it is healed."""
        slowed = self._slowed[firing]
        return _evidence(slowed.factor, self._figures(slowed)) if slowed.is_over else None

    def awaits_evidence(self, firing: Firing) -> bool:
        """See Act. Of a process that has ended no more is awaited."""
        number, throttled = self._peers.number(firing.peer), self._slowed[firing].numbers
        return any(n == number and self._peers.acts.throttled(n) is None for n in throttled)

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act."""
        slowed = self._slowed[firing]
        self._end(slowed.numbers)
        return _evidence(slowed.factor, self._figures(slowed))

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act. What another firing slows as well goes on being slowed."""
        slowed = self._slowed[firing]
        slowed.is_over = True
        going_on = {n for each in self._slowed.values() if not each.is_over for n in each.numbers}
        self._end(n for n in slowed.numbers if n not in going_on)
        return True

    def _end(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._peers.acts.end_throttle(number)

    def _figures(self, slowed: _Slowed) -> list[Throttled]:
        """Return what is known; nothing of a process whose host was lost, or tells of it later."""
        found = [self._peers.acts.throttled(number) for number in slowed.numbers]
        return [each for each in found if each]


def _evidence(factor: float, figures: list[Throttled]) -> str | None:
    """Return for how long processes were suspended, None where that is not what `factor` asks."""
    watched_s = sum(each.watched_s for each in figures)
    if watched_s < _MIN_WATCHED_S:
        return None
    share = sum(each.suspended_s for each in figures) / watched_s
    near = abs(1 - factor - share) <= _TOLERANCE
    return f"it stood still for {share:.0%} of {watched_s:.2f} s" if near else None
