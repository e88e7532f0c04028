"""Make this host's core behave like a slower device's."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Stretches a training call: after each step, sleep until wall = cpu / speed.

    CPU time of the training thread is the work done, so emulated cost holds although the host
    is contended; a core that is too busy to keep up shows in `achieved`.

    Args:
        speed: of the device, a share of one core of this host, in (0, 1].
        sleep: waits so many seconds, or raises where the process is to stop.
    """

    def __init__(self, speed: float, sleep: Callable[[float], None]) -> None:
        self._speed, self._sleep = speed, sleep
        self._cpu_start, self._wall_start = time.thread_time(), time.monotonic()

    def after_step(self) -> None:
        """Sleep off what this host was faster than the device."""
        self._sleep(max(0.0, self.cpu_s / self._speed - self.wall_s) if self._speed < 1 else 0.0)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this thread since the beginning."""
        return time.thread_time() - self._cpu_start

    @property
    def wall_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._wall_start
