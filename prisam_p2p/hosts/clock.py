"""How far a host's clock is from the launcher's, and within what bound that is known. Pure.

An agent asks (at `sent_s` of its clock), the launcher hears it (at `heard_s` of its own), and the
answer arrives (at `received_s` of the agent's). The launcher's clock showed `heard_s` at some
moment between the two, whatever the delays of the two ways were: so the offset is known within half
the round trip. Since then the clocks may have drifted apart.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIFT = 50e-6
"""Two clocks drift apart by at most so many seconds a second: crystals of computers are specified
to 20-50 ppm, and NTP slews little once it has settled."""

QUICK_EXCHANGES = 10
"""An agent asks so often without a pause when it begins: the fastest answer bounds the offset."""


@dataclass(frozen=True)
class ClockOffset:
    """What is known of a host's clock.

    Attributes:
        offset_s: what has to be added to the host's CLOCK_MONOTONIC for the launcher's.
        bound_s: the offset is right within this.
    """

    offset_s: float
    bound_s: float


@dataclass(frozen=True)
class _Exchange:
    sent_s: float
    heard_s: float
    received_s: float

    @property
    def offset_s(self) -> float:
        return self.heard_s - (self.sent_s + self.received_s) / 2

    def bound_s(self, now_s: float) -> float:
        half_round_trip_s = (self.received_s - self.sent_s) / 2
        return half_round_trip_s + DRIFT * (now_s - self.sent_s)


class ClockEstimate:
    """The offset of this host's clock, by the exchange that bounds it best.

    A new exchange is kept in place of an older one where its bound is the smaller one by now: a
    slower answer counts only once drift has made the old one worse.
    """

    def __init__(self) -> None:
        self._best: _Exchange | None = None

    def exchanged(self, sent_s: float, heard_s: float, received_s: float) -> None:
        """Take an exchange in.

        Args:
            sent_s, received_s: of the question and of its answer, on this host's clock.
            heard_s: of the question, on the launcher's clock.

        Raises:
            ValueError: the answer came before the question.
        """
        if received_s < sent_s:
            raise ValueError(f"received at {received_s} s what was sent at {sent_s} s")
        new = _Exchange(sent_s, heard_s, received_s)
        if self._best is None or new.bound_s(received_s) <= self._best.bound_s(received_s):
            self._best = new

    def at(self, now_s: float) -> ClockOffset | None:
        """Return what is known at `now_s` of this host's clock, None before the first exchange."""
        if self._best is None:
            return None
        return ClockOffset(self._best.offset_s, self._best.bound_s(now_s))
