"""How long a peer's main thread does what: one phase at a time, journalled as `spans`.

A nested activity ends its outer's span, and leaving it begins another one of the outer. So every
moment stands in exactly one span. Pure: time comes in as a number.
"""

from __future__ import annotations

from collections.abc import Callable

from prisam_p2p.control.activity import Activity
from prisam_p2p.measure import records

WRITTEN_EVERY_S = 1.0
"""A killed peer lacks this much, and the span that it was in."""

UNNAMED = Activity.RUNNING.phase
"""What the loop does between two steps."""

SHORT_S, SHORT_CPU_S, SHORT_CPU_SHARE = 2.0, 0.001, 0.1
"""Between two steps, a time below `SHORT_S` with less CPU time than the others allow is no work of
the loop: the process waited for a processor.

Of 60 peers on two cores, some waited for half a second there.
"""

Span = tuple[str, float, float]
"""(phase, begin, end) in seconds on the run's clock."""


class SpanLog:
    """The spans since the last record, and the one that is open. For the main thread.

    A time between two steps that is no work (`SHORT_S` and below) belongs to the second.

    Args:
        write: takes the records.
        now_s: returns the time on the run's clock, to 0.1 ms.
        cpu_s: returns the CPU time of this thread.
    """

    def __init__(
        self,
        write: Callable[[records.Spans], None],
        now_s: Callable[[], float],
        cpu_s: Callable[[], float],
    ) -> None:
        self._write, self._now_s, self._cpu_s = write, now_s, cpu_s
        self._phase = Activity.STARTING.phase
        self._written_s = self._since_s = now_s()
        self._unnamed_cpu_s = 0.0
        self._closed: list[Span] = []

    def change(self, phase: str, round_index: int) -> None:
        """Begin a phase now, if another one is open; write what is due.

        A record is written at the beginning of a phase with a name, so that its time stands there.
        """
        if phase == self._phase:
            return
        now_s = self._now_s()
        if self._phase != UNNAMED or self._is_long(now_s):
            self._close(now_s)
        self._phase = phase
        if phase == UNNAMED:
            self._unnamed_cpu_s = self._cpu_s()
        elif now_s - self._written_s >= WRITTEN_EVERY_S:
            self._flush(round_index, now_s)

    def write(self, round_index: int) -> None:
        """Write all spans until now; the open phase goes on in another span."""
        now_s = self._now_s()
        self._close(now_s)
        self._flush(round_index, now_s)

    def _is_long(self, now_s: float) -> bool:
        cpu_s, wall_s = self._cpu_s() - self._unnamed_cpu_s, now_s - self._since_s
        return wall_s >= SHORT_S or cpu_s >= max(SHORT_CPU_S, SHORT_CPU_SHARE * wall_s)

    def _close(self, now_s: float) -> None:
        """End the open span; one without a duration is left out."""
        phase, since_s = self._phase, self._since_s
        if now_s > since_s:
            if self._closed and self._closed[-1][0] == phase:
                since_s = self._closed.pop()[1]
            self._closed.append((phase, since_s, now_s))
            self._since_s = now_s

    def _flush(self, round_index: int, now_s: float) -> None:
        spans, self._closed, self._written_s = self._closed, [], now_s
        if spans:
            self._write(records.Spans(round_index, spans))
