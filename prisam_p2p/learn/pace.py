"""Slow training down to the speed of the emulated device."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Slows one training call down: after each step, it sleeps until wall time = CPU time / speed.

    The CPU time of the training thread measures the work done, so the emulated speed holds even
    if other processes use the host. On a host too busy to keep up, wall time exceeds CPU time /
    speed, and `after_step` does not sleep.

    Args:
        speed: the device's, as a share of one core of this host, in (0, 1].
        sleep: waits for this many seconds, or raises to stop the training.
    """

    def __init__(self, speed: float, sleep: Callable[[float], None]) -> None:
        self._speed, self._sleep = speed, sleep
        self._cpu_start, self._wall_start = time.thread_time(), time.monotonic()

    def after_step(self) -> None:
        """Sleep for as long as this host is ahead of the device; always calls `sleep`."""
        self._sleep(max(0.0, self.cpu_s / self._speed - self.wall_s) if self._speed < 1 else 0.0)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this thread since construction."""
        return time.thread_time() - self._cpu_start

    @property
    def wall_s(self) -> float:
        """Seconds since construction."""
        return time.monotonic() - self._wall_start
