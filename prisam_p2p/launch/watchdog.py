"""Tells a run that hangs from one that is slow. Pure: time is a number."""

from __future__ import annotations

FIRST_ROUND_S = 21_600.0
"""Until a first round has ended, nothing is known of how long rounds take."""

LEAST_S, TIMES_AS_LONG = 3600.0, 10
"""Longer than peers wait at a barrier, and far longer than any earlier silence of the run."""


class Watchdog:
    """Follows for how long no peer has reported anything.

    Args:
        longest_wait_s: that a peer may wait for others in a round.
    """

    def __init__(self, now_s: float, longest_wait_s: float) -> None:
        self._since_s, self._least_s = now_s, LEAST_S + longest_wait_s
        self._longest_s = 0.0
        self._round_has_ended = False

    def heard(self, now_s: float, round_ended: bool) -> None:
        """Note that a peer has reported something: the end of a round, or something else."""
        self._longest_s = max(self._longest_s, now_s - self._since_s)
        self._round_has_ended |= round_ended
        self._since_s = now_s

    def restart(self, now_s: float) -> None:
        """Begin anew after hanging processes were ended; their silence is not an earlier one."""
        self._since_s = now_s

    def hangs_since_s(self, now_s: float) -> float | None:
        """Return for how many seconds no peer has reported, None while that is not too long."""
        most_s = FIRST_ROUND_S
        if self._round_has_ended:
            most_s = max(self._least_s, TIMES_AS_LONG * self._longest_s)
        silent_s = now_s - self._since_s
        return silent_s if silent_s > most_s else None
