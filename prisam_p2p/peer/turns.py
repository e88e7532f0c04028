"""Turns at computing: as many processes of a host compute at a time as there are cores.

Twelve trainings at once on two cores take as long as two at a time, but thrash the caches and need
the memory of twelve (docs/decisions/0010-turns.md has the figures). A turn is advisory: it ends
with its process, however that ends, and a process waits at most `PATIENCE_S` for one. So a peer
that is stopped during its turn does not block the others.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prisam_p2p.control.activity import Activity
from prisam_p2p.peer.marks import Marks

PATIENCE_S = 10.0
_LOOK_EVERY_S = (0.01, 0.05)
"""Poll interval in the first second, and after it: many waiters would keep a core busy."""


class Turns:
    """Turns are locks on `slots` bytes of a file that all processes of the run have open.

    Args:
        fd: the file's descriptor; None = no turns.
        sleep: waits for this many seconds; raises if the process is told to stop.
        marks: shows the wait for a turn; None = nobody looks.
    """

    def __init__(
        self,
        fd: int | None,
        slots: int,
        sleep: Callable[[float], None],
        marks: Marks | None = None,
    ) -> None:
        self._fd, self._slots, self._sleep = fd, slots, sleep
        self._marks = marks or Marks()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a slot inside the block; wait for one first, for at most `PATIENCE_S`."""
        slot = self._free_one()
        if slot is None and self._fd is not None:
            slot = self._wait()
        try:
            yield
        finally:
            if slot is not None and self._fd is not None:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, slot)

    def _wait(self) -> int | None:
        """Return the slot that was taken, or None if none was free in time."""
        began = time.monotonic()
        with self._marks.doing(Activity.WAITING_FOR_TURN, began + PATIENCE_S):
            while time.monotonic() - began < PATIENCE_S:
                self._sleep(_LOOK_EVERY_S[time.monotonic() - began > 1])
                if (slot := self._free_one()) is not None:
                    return slot
        return None

    def _free_one(self) -> int | None:
        """Take a slot that is free now."""
        slots = range(self._slots) if self._fd is not None else ()
        return next((slot for slot in slots if self._lock(slot)), None)

    def _lock(self, slot: int) -> bool:
        assert self._fd is not None
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except OSError:
            return False
        return True
