"""How long a round waits for masks, estimated from the lengths of earlier rounds.

Pure: time comes in as a number.

A round's *length* is the time from the end of the previous wait to the round's last mask. Single
arrivals would not do: peers that share a host train in turns, so the masks of a round arrive spread
over all of it, each time in another order. The arrival of the last mask is what stays the same. A
process's first round has no length, because no wait precedes it: a peer that announces last finds
all masks there. docs/decisions/0020-survival.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median

KEPT_ROUNDS = 8
"""Lengths of this many rounds count, so that the deadline follows a network that changes."""


MIN_MARGIN_S = 10.0
"""Least margin beyond the median: shorter ones cut off peers whenever the host is busy."""

QUORUM = 0.5
"""The deadline applies only once this share of the masks is here. With fewer, this peer or its
network may be the slow one."""


@dataclass(frozen=True)
class DeadlineRule:
    """The numbers that a deadline follows from: median + k x MAD of the lengths, within bounds.

    Attributes:
        cap_s: longest wait; it alone applies while no length is known, or if k is 0.
        k: how many median absolute deviations (MAD) beyond the median.
        floor_s: minimum margin beyond the median, and minimum wait.
        quorum: the cap applies until this share of the masks is here.
    """

    cap_s: float
    k: float
    floor_s: float = MIN_MARGIN_S
    quorum: float = QUORUM


@dataclass
class _Round:
    """What the deadline knows of a round; `given_up`: neighbors whose mask could still arrive."""

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
        self._cap_s = limits.cap_s

    def open(
        self, round_index: int, now_s: float, began_s: float | None = None, idle_s: float = 0.0
    ) -> None:
        """Begin the wait for a round's masks.

        Args:
            began_s: when the round's length begins; None = at the end of the previous wait.
            idle_s: how much earlier this peer waits than others: it sits the round out, and they
                train.
        """
        self._now, self._opened_s = round_index, now_s
        self._cap_s = self._limits.cap_s + idle_s
        self._rounds = {t: r for t, r in self._rounds.items() if t >= round_index - KEPT_ROUNDS}
        if began_s is not None:
            self._rounds[round_index] = _Round(began_s)
        elif self._closed_s is not None:
            self._rounds[round_index] = _Round(self._closed_s)

    def arrived(self, neighbor: str, round_index: int, now_s: float) -> None:
        """Note that a mask arrived, of the open round or of one that gave its sender up.

        Late masks count: otherwise the deadline would not follow a network that became slow.
        """
        each = self._rounds.get(round_index)
        if each and (round_index == self._now or neighbor in each.given_up):
            each.given_up.discard(neighbor)
            each.length_s = max(now_s - each.began_s, each.length_s or 0.0)

    def close(self, given_up: Collection[str], now_s: float) -> None:
        """End the wait; the masks of `given_up` could still have arrived."""
        self._closed_s = now_s
        if each := self._rounds.get(self._now):
            each.given_up = set(given_up)

    def wait_s(self, here: int, awaited: int) -> float:
        """Return how long to wait, counted from `open`.

        Args:
            here, awaited: number of masks that arrived, and that can still arrive.
        """
        limits, lengths = self._limits, self._lengths_s()
        if not (limits.k and lengths) or here < limits.quorum * (here + awaited):
            return self._cap_s
        middle_s, deviation_s = _figures(lengths)
        margin_s = max(limits.k * deviation_s, self._least_margin_s(middle_s))
        left_s = self._rounds[self._now].began_s + middle_s + margin_s - self._opened_s
        return min(self._cap_s, max(left_s, limits.floor_s))

    def reason(self, here: int, awaited: int) -> str:
        """Return in words why the wait for the missing masks ended."""
        wait_s = self.wait_s(here, awaited)
        if wait_s >= self._cap_s:
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
        """Return the least margin: a round that trains the union may take twice as long."""
        return max(self._limits.floor_s, middle_s)


def _figures(lengths_s: list[float]) -> tuple[float, float]:
    """Return median and median absolute deviation."""
    middle_s = median(lengths_s)
    return middle_s, median(abs(length - middle_s) for length in lengths_s)
