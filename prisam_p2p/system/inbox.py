"""A queue for one reader, which signal handlers may put into, and whose `get` always ends.

`queue.SimpleQueue` is made for signal handlers too, but in CPython 3.11 its `get(timeout=t)`
waits for ever where the process was off the processor for longer than `t` just as it began: one of
eight runs of a hundred peers on two busy cores hung so. `Lock.acquire` has no such hole.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")

_LOOK_EVERY_S = 0.5
"""A signal that came while the process stood still may be taken by another thread when it goes on;
its handler then runs when the reader next wakes up, whatever it waits for."""


class Inbox(Generic[T]):
    """Any thread puts, one gets."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._bell = threading.Lock()  # locked: nothing was put since it was last looked
        self._bell.acquire()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item. Safe in a signal handler, also in one that interrupts `get` or `put`."""
        self._items.append(item)
        with contextlib.suppress(RuntimeError):  # the bell has rung, and nobody looked yet
            self._bell.release()

    def get(self, timeout_s: float) -> T:
        """Return the oldest item.

        Raises:
            Empty: none came within `timeout_s`.
        """
        ends_s = time.monotonic() + timeout_s
        while not self._items:
            left_s = ends_s - time.monotonic()
            rang = self._bell.acquire(timeout=max(0.0, min(left_s, _LOOK_EVERY_S)))
            if not rang and left_s <= 0:
                raise Empty
        return self._items.popleft()
