"""Processes of one host take turns at computing: as many at a time as there are cores.

Twelve trainings at once on two cores take as long as two at a time six times over, and thrash
the caches and hold the memory of twelve (docs/decisions/0010-turns.md has the figures). A turn
is a courtesy, never a lock: it ends with its process, however that ends, and nobody waits
longer than `PATIENCE_S` for one, so a peer that is stopped in its turn holds nobody up for good.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 10.0
_LOOK_EVERY_S = (0.01, 0.05)
"""At first, and after a second: many waiters would else keep a core busy with looking."""


class Turns:
    """Turns at `slots` byte ranges of a file that all the run's processes have open.

    Args:
        fd: the file's descriptor, None = no turns.
        sleep: waits so many seconds, or raises where the process is to stop.
    """

    def __init__(self, fd: int | None, slots: int, sleep: Callable[[float], None]) -> None:
        self._fd, self._slots, self._sleep = fd, slots, sleep

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a free slot, at most `PATIENCE_S`, and hold it inside the block."""
        slot = self._take()
        try:
            yield
        finally:
            if slot is not None and self._fd is not None:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, slot)

    def _take(self) -> int | None:
        """Return the slot that was free, or None without one."""
        began = time.monotonic()
        while self._fd is not None and time.monotonic() - began < PATIENCE_S:
            for slot in range(self._slots):
                if self._lock(slot):
                    return slot
            self._sleep(_LOOK_EVERY_S[time.monotonic() - began > 1])
        return None

    def _lock(self, slot: int) -> bool:
        assert self._fd is not None
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except OSError:
            return False
        return True
