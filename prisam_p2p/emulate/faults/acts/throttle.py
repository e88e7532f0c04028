"""When a process must stand still to have a share of its speed. Pure: time is a number."""

from __future__ import annotations


class Throttle:
    """Stands whenever it stood too little so far, as a sigma-delta modulator does.

    So late looks do not add up: what one takes too long, the next ones give back.

    Args:
        factor: the share of its speed, in (0, 1).
    """

    def __init__(self, factor: float, now_s: float) -> None:
        self._factor, self._last_s = factor, now_s
        self.stood_s = self.watched_s = 0.0

    def look(self, now_s: float, stands: bool) -> bool:
        """Tell whether it is to stand from now on.

        Args:
            stands: whether it does now, and so did since the last look.
        """
        self.watched_s += now_s - self._last_s
        self.stood_s += (now_s - self._last_s) * stands
        self._last_s = now_s
        return self.stood_s < (1 - self._factor) * self.watched_s

    def skip(self, now_s: float) -> None:
        """What was since the last look does not count: somebody else stops it, or it is gone."""
        self._last_s = now_s

    @property
    def share(self) -> float:
        """The share of the time in which it stood."""
        return self.stood_s / self.watched_s if self.watched_s else 0.0
