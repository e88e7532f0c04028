"""When what is known of hosts' clocks is journalled: first, every half minute, and last. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.measure import records

NOTE_EVERY_S = 30.0


class ClockNotes:
    """The records of hosts' clocks."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[float, float]] = {}  # host -> when, and its offset

    def due(self, clocks: Mapping[str, ClockOffset], now_s: float) -> list[records.HostClock]:
        """Return a record of each host that had none for half a minute."""
        due = [
            host
            for host in clocks
            if host not in self._noted or now_s - self._noted[host][0] >= NOTE_EVERY_S
        ]
        return [self._note(host, clocks[host], now_s) for host in due]

    def last(self, clocks: Mapping[str, ClockOffset], now_s: float) -> list[records.HostClock]:
        """Return a record of each host: the run ends."""
        return [self._note(host, clock, now_s) for host, clock in clocks.items()]

    def _note(self, host: str, clock: ClockOffset, now_s: float) -> records.HostClock:
        _, before_s = self._noted.get(host, (0.0, clock.offset_s))
        self._noted[host] = now_s, clock.offset_s
        changed_s = clock.offset_s - before_s
        return records.HostClock(
            host, round(clock.offset_s, 9), round(clock.bound_s, 9), round(changed_s, 9)
        )
