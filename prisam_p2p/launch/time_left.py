"""Estimates the time until the end of a run. Pure: time comes in as a number."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from statistics import fmean, median

_RECENT = 10
"""Rounds that the estimate is made of."""

_LONGEST = 3.0
"""A longer round counts as this many times the usual one: one stall says little of later rounds."""

_LATE, _GRACE_S = 3.0, 5.0
"""A peer is late after this many of its rounds, plus this time."""


@dataclass
class _Pace:
    """A peer's rounds: how many are done, since when, and how long they take.

    Attributes:
        round_s: mean time of a recent round, None before the first is over.
        took_s: time of each recent round but the first, which trains the whole model: it counts
            only until a second is over.
    """

    rounds_done: int
    at_s: float
    round_s: float | None = None
    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def finishes_round(self, rounds_done: int, now_s: float) -> None:
        """See TimeLeft."""
        took_s = (now_s - self.at_s) / max(1, rounds_done - self.rounds_done)
        self.rounds_done, self.at_s = rounds_done, now_s
        if self.round_s is None:
            self.round_s = took_s
            return
        self.took_s.append(took_s)
        longest = _LONGEST * median(self.took_s)
        self.round_s = fmean(min(each, longest) for each in self.took_s)

    def end_s(self, rounds: int, now_s: float) -> float | None:
        """Return when `rounds` will be done; None if unknown, as when the present round is late."""
        if self.round_s is None or now_s - self.at_s > _LATE * self.round_s + _GRACE_S:
            return None
        return self.at_s + (rounds - self.rounds_done) * self.round_s


class TimeLeft:
    """Counts down to the end of the slowest peer, from the recent rounds of each.

    The estimated end changes only when a peer finishes a round. In between the time left falls, and
    is unknown once that end has passed or a peer is late.

    Args:
        rounds: of each peer.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._paces: dict[str, _Pace] = {}

    def begins(self, peer: str, rounds_done: int, now_s: float) -> None:
        """Note that a process of a peer begins with the round after `rounds_done` rounds."""
        before = self._paces.get(peer)
        self._paces[peer] = (
            replace(before, rounds_done=rounds_done, at_s=now_s)
            if before
            else _Pace(rounds_done, now_s)
        )

    def finishes_round(self, peer: str, rounds_done: int, now_s: float) -> None:
        """Note that a peer has now done `rounds_done` rounds; it may have skipped some."""
        if pace := self._paces.get(peer):
            pace.finishes_round(rounds_done, now_s)

    def left_s(self, now_s: float, peers: Collection[str]) -> float | None:
        """Return the seconds until all of `peers` have done their rounds, None if unknown.

        Args:
            peers: those that still run rounds, and so neither the lost nor the finished ones.
        """
        paces = [self._paces[peer] for peer in peers if peer in self._paces]
        ends = [each.end_s(self._rounds, now_s) for each in paces]
        known = [each for each in ends if each is not None]
        if not known or len(known) < len(ends):
            return None
        left_s = max(known) - now_s
        return left_s if left_s > 0 else None
