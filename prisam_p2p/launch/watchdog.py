"""When a run whose peers report nothing is no longer slow, but hangs. Pure: time is a number."""

from __future__ import annotations

FIRST_ROUND_S = 21_600.0
"""Before the end of a first round nothing is known of how long one takes."""

LEAST_S, TIMES_AS_LONG = 3600.0, 10
"""Longer than a meeting waits for who is late, and far longer than all that was seen."""


class Silence:
    """Since when no peer has reported anything, and for how long that was so before.

    Args:
        longest_wait_s: that a peer may wait for others in a round.
    """

    def __init__(self, now_s: float, longest_wait_s: float) -> None:
        self._since_s, self._least_s = now_s, LEAST_S + longest_wait_s
        self._longest_s = 0.0
        self._one_round_is_over = False

    def end(self, is_round: bool, now_s: float) -> None:
        """Note that a peer reported something, the end of a round perhaps."""
        self._longest_s = max(self._longest_s, now_s - self._since_s)
        self._one_round_is_over |= is_round
        self._since_s = now_s

    def begin_again(self, now_s: float) -> None:
        """Note that those who hung were seen to: how long that took says nothing of the others."""
        self._since_s = now_s

    def too_long_s(self, now_s: float) -> float | None:
        """Return how long it is now, where that means that somebody hangs."""
        most_s = FIRST_ROUND_S
        if self._one_round_is_over:
            most_s = max(self._least_s, TIMES_AS_LONG * self._longest_s)
        silent_s = now_s - self._since_s
        return silent_s if silent_s > most_s else None
