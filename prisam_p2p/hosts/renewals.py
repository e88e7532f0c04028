"""When an agent asks for its lease to be renewed, and what it learns from the answers. Pure.

One question serves three ends. Its answer moves the end of the lease; it is an exchange of clocks;
and as messages keep their order, it tells that the launcher has taken in what was sent before it:
so many parts of files, of which only so many may be on their way.
"""

from __future__ import annotations

from prisam_p2p.hosts.clock import QUICK_EXCHANGES, ClockEstimate, ClockOffset
from prisam_p2p.hosts.lease import HeldLease
from prisam_p2p.hosts.messages import Renew, Renewed

WAITING_S = 120.0
"""An agent that is given no run ends after this time without the launcher, which may be loading
data for its plan."""

MOST_PARTS = 8
"""Parts of files that may be on their way: 2 MiB, which is what a slow launcher has to hold."""

_ASK_EVERY_PARTS = 4
_QUICK_EVERY_S = 0.5
"""A quick question that gets no answer is followed by the next one after this time."""


class Renewals:
    """The questions and their answers. Times are of this host's CLOCK_MONOTONIC.

    Args:
        now_s: when the agent says hello.

    Attributes:
        clock: how far the launcher's clock is from this host's.
    """

    def __init__(self, now_s: float) -> None:
        self._lease = HeldLease(WAITING_S, now_s)
        self.clock = ClockEstimate()
        self._quick, self._asked_s, self._awaits = QUICK_EXCHANGES, now_s, False
        self._sent = self._asked_about = self._arrived = 0
        self._parts: dict[int, int] = {}  # renewal -> parts that were sent before it

    @property
    def ends_s(self) -> float:
        """When the lease passes, as far as answers have come."""
        return self._lease.ends_s

    @property
    def knows_clock(self) -> bool:
        """Whether all the quick questions are answered."""
        return self._quick == 0

    @property
    def takes_part(self) -> bool:
        """Whether one more part of a file may be sent."""
        return self._sent - self._arrived < MOST_PARTS

    @property
    def all_arrived(self) -> bool:
        """Whether the launcher has taken in all that was sent."""
        return self._sent == self._arrived

    def is_over(self, now_s: float) -> bool:
        """Tell whether the lease has passed; it then stays so."""
        return self._lease.is_over(now_s)

    def begin(self, lease_s: float, now_s: float) -> None:
        """A run begins, with a lease of this length."""
        self._lease.begin(lease_s, now_s)

    def ask_quickly(self) -> None:
        """Ask quickly again: neither files nor imports are in the way now."""
        self._quick, self._awaits = QUICK_EXCHANGES, False

    def part_sent(self) -> None:
        """Count a part of a file, or whatever else the launcher is to have taken in."""
        self._sent += 1

    def next_s(self) -> float:
        """Return when to ask for the next time, if nothing is sent or answered before."""
        if self._quick or not self.all_arrived:
            return min(self._lease.next_s(), self._asked_s + _QUICK_EVERY_S)
        return self._lease.next_s()

    def ask(self, now_s: float) -> Renew | None:
        """Return the question to be sent now, None if it is not time yet."""
        quick = self._quick and not self._awaits
        unasked = self._sent - self._asked_about >= _ASK_EVERY_PARTS
        if not (quick or unasked or now_s >= self.next_s()):
            return None
        return self.ask_now(now_s)

    def ask_now(self, now_s: float) -> Renew:
        """Return the question, which is sent now."""
        renewal = self._lease.ask(now_s)
        self._asked_s, self._awaits, self._asked_about = now_s, True, self._sent
        self._parts[renewal] = self._sent
        known = self.clock.at(now_s)
        return Renew(renewal, *((known.offset_s, known.bound_s) if known else (None, None)))

    def answered(self, answer: Renewed, now_s: float) -> None:
        """Take an answer in. One to no question of this agent is of no use."""
        sent_s = self._lease.answered(answer.renewal)
        if sent_s is None:
            return
        self.clock.exchanged(sent_s, answer.heard_s, now_s)
        self._arrived = max(self._arrived, self._parts.get(answer.renewal, 0))
        self._parts = {n: parts for n, parts in self._parts.items() if n > answer.renewal}
        self._quick, self._awaits = max(0, self._quick - 1), False

    def offset(self, now_s: float) -> ClockOffset:
        """Return what is known of the clock.

        Raises:
            ValueError: nothing is.
        """
        known = self.clock.at(now_s)
        if known is None:
            raise ValueError("no exchange of clocks so far")
        return known
