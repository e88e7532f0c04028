"""Until when a round waits for masks, learned from how long earlier rounds took.

Pure: time comes in as a number.

A round's *length* is from the end of the wait before it to its last mask. It is not one mask's
arrival: peers that share a host train in turns, so the masks of a round come spread over all of
it, in another order each time, and a slow device is always last. When the last mask is here is what
stays the same from round to round. A process's first round has no wait before it, thus no length:
who is the last to announce finds all masks there. docs/decisions/0020-survival.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median

KEPT_ROUNDS = 8
"""So many rounds are remembered: a network that changes is soon known again."""


MIN_MARGIN_S = 10.0
"""Margin beyond the median, at least: shorter ones cut off peers whenever the host is busy."""

QUORUM = 0.5
"""A deadline counts only once this share of the masks is here. With fewer, the slow one may be
this peer, or its network."""


@dataclass(frozen=True)
class DeadlineRule:
    """What a deadline follows from.

    Attributes:
        cap_s: of any wait; it holds alone while there is no length, or where k is 0.
        k: median absolute deviations beyond the median.
        floor_s: beyond the median at least; so long is any wait, too.
        quorum: before this share of the masks is here, the cap holds.
    """

    cap_s: float
    k: float
    floor_s: float = MIN_MARGIN_S
    quorum: float = QUORUM


@dataclass
class _Round:
    """A round as its deadline sees it; `given_up`: whose masks could still have come."""

    began_s: float
    length_s: float | None = None
    given_up: set[str] = field(default_factory=set)


class RoundDeadline:
    """The deadline of each round in turn: `open`, `arrived`, `close`."""

    def __init__(self, limits: DeadlineRule) -> None:
        self._limits = limits
        self._now = -1
        self._opened_s = 0.0
        self._closed_s: float | None = None
        self._rounds: dict[int, _Round] = {}

    def open(self, round_index: int, now_s: float) -> None:
        """The wait for a round's masks begins."""
        self._now, self._opened_s = round_index, now_s
        self._rounds = {t: r for t, r in self._rounds.items() if t >= round_index - KEPT_ROUNDS}
        if self._closed_s is not None:
            self._rounds[round_index] = _Round(self._closed_s)

    def arrived(self, neighbor: str, round_index: int, now_s: float) -> None:
        """A mask is here: of the open round, or late, of one that gave its sender up.

        Late masks count, or a network that became slow would never be waited for again.
        """
        each = self._rounds.get(round_index)
        if each and (round_index == self._now or neighbor in each.given_up):
            each.given_up.discard(neighbor)
            each.length_s = max(now_s - each.began_s, each.length_s or 0.0)

    def close(self, given_up: Collection[str], now_s: float) -> None:
        """The wait is over; the masks of `given_up` could still have come."""
        self._closed_s = now_s
        if each := self._rounds.get(self._now):
            each.given_up = set(given_up)

    def wait_s(self, here: int, awaited: int) -> float:
        """Return how long to wait from `open` on, with so many masks here and to come."""
        limits, lengths = self._limits, self._lengths_s()
        if not (limits.k and lengths) or here < limits.quorum * (here + awaited):
            return limits.cap_s
        middle_s, deviation_s = _figures(lengths)
        margin_s = max(limits.k * deviation_s, self._least_margin_s(middle_s))
        left_s = self._rounds[self._now].began_s + middle_s + margin_s - self._opened_s
        return min(limits.cap_s, max(left_s, limits.floor_s))

    def reason(self, here: int, awaited: int) -> str:
        """Return in words why a mask that has not come is not waited for any longer."""
        wait_s = self.wait_s(here, awaited)
        if wait_s >= self._limits.cap_s:
            return f"no mask within {wait_s:g} s"
        middle_s, deviation_s = _figures(self._lengths_s())
        return (
            f"no mask within {wait_s:.1f} s (rounds: median {middle_s:.1f} + {self._limits.k:g} x "
            f"MAD {deviation_s:.1f}, at least + {self._least_margin_s(middle_s):.1f})"
        )

    def _lengths_s(self) -> list[float]:
        """Return the lengths of earlier rounds."""
        earlier = (each for t, each in self._rounds.items() if t != self._now)
        return [each.length_s for each in earlier if each.length_s is not None]

    def _least_margin_s(self, middle_s: float) -> float:
        """A round may take twice the usual: one that trains the union has more to train."""
        return max(self._limits.floor_s, middle_s)


def _figures(lengths_s: list[float]) -> tuple[float, float]:
    """Return median and median absolute deviation."""
    middle_s = median(lengths_s)
    return middle_s, median(abs(length - middle_s) for length in lengths_s)
