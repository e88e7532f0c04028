"""A queue for one reader; signal handlers may put items into it, and `get` honors its timeout.

`queue.SimpleQueue` supports signal handlers too, but in CPython 3.11 its `get(timeout=t)` waits
forever if the process is descheduled for longer than `t` at the beginning of the call: one in eight
runs of a hundred peers on two busy cores hung. `Lock.acquire` has no such defect.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")

_WAKE_EVERY_S = 0.5
"""The longest single wait of the reader. When a stopped process continues, another thread may take
the signal that it received meanwhile; the handler then runs when the main thread next wakes up."""


class Inbox(Generic[T]):
    """A first-in, first-out queue of many writers and one reader."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._nothing_new = threading.Lock()  # `put` releases it, to wake the reader
        self._nothing_new.acquire()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item; safe in a signal handler, even if it interrupts `get` or `put`."""
        self._items.append(item)
        with contextlib.suppress(RuntimeError):  # released already: the reader will wake up
            self._nothing_new.release()

    def get(self, timeout_s: float) -> T:
        """Remove and return the oldest item, waiting for one if there is none.

        Raises:
            Empty: no item arrived within `timeout_s`.
        """
        ends_s = time.monotonic() + timeout_s
        while not self._items:
            left_s = ends_s - time.monotonic()
            woken = self._nothing_new.acquire(timeout=max(0.0, min(left_s, _WAKE_EVERY_S)))
            if not woken and left_s <= 0:
                raise Empty
        return self._items.popleft()
