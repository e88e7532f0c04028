"""Time as a launcher has watched it: while it is itself stopped, none passes. Pure."""

from __future__ import annotations

MOST_STEP_S = 2.0
"""Between two looks so much time counts at most, however late the second comes: a launcher that was
itself stopped knows nothing of the time between."""


class WatchedTime:
    """The time for which a launcher has looked, without that for which it was itself stopped.

    Args:
        now_s: when it begins.
        most_step_s: counts at most between two looks.
    """

    def __init__(self, now_s: float, most_step_s: float = MOST_STEP_S) -> None:
        self._last_s, self.passed_s = now_s, 0.0
        self._most_step_s = most_step_s

    def look(self, now_s: float) -> float:
        """Return the seconds that have passed; to be called at least every `most_step_s`."""
        self.passed_s += min(now_s - self._last_s, self._most_step_s)
        self._last_s = now_s
        return self.passed_s


class Silence:
    """For how long a process that owes an answer has been silent."""

    def __init__(self) -> None:
        self._time: WatchedTime | None = None
        self.letter = ""

    def look(self, now_s: float, owes: bool, letter: str) -> float:
        """Return for how long it has been silent, 0 while it owes nothing or waits for a core.

        Args:
            letter: its state (system/process_state.py), "" = unknown.
        """
        self.letter = letter
        if not owes or letter == "R":
            self._time = None
            return 0.0
        self._time = self._time or WatchedTime(now_s)
        return self._time.look(now_s)

    @property
    def since_s(self) -> float:
        """For how long it was silent at the last look."""
        return self._time.passed_s if self._time else 0.0

    @property
    def reason(self) -> str:
        """Why, as far as its state tells."""
        return {"T": "stopped", "t": "stopped by a debugger", "D": "held up by the disk"}.get(
            self.letter, "without an answer"
        )
