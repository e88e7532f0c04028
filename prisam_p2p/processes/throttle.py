"""When a process must be suspended to run for a fraction of the time. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Throttled:
    """For how long a process was throttled, and suspended meanwhile."""

    watched_s: float
    suspended_s: float


class Throttle:
    """Decides when a process must be suspended to run for a fraction of the time.

    It is suspended whenever it was suspended too little so far, as in a sigma-delta modulator. So
    late looks do not add up: the next ones make up for them.

    Args:
        factor: the fraction of the time for which it runs, in (0, 1).
        now_s: when it begins.
    """

    def __init__(self, factor: float, now_s: float) -> None:
        self._factor, self._last_s = factor, now_s
        self.suspended_s = self.watched_s = 0.0

    def look(self, now_s: float, is_suspended: bool) -> bool:
        """Tell whether the process must be suspended from now on.

        Args:
            is_suspended: whether it is now, and was since the last look.
        """
        self.watched_s += now_s - self._last_s
        self.suspended_s += (now_s - self._last_s) * is_suspended
        self._last_s = now_s
        return self.suspended_s < (1 - self._factor) * self.watched_s

    def skip(self, now_s: float) -> None:
        """Do not count the time since the last look: something else suspends it, or it is gone."""
        self._last_s = now_s

    @property
    def figures(self) -> Throttled:
        """What it has counted so far."""
        return Throttled(self.watched_s, self.suspended_s)
