"""How often a rude peer lied: evidence that it did."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Tally:
    """Counts lies, of any thread, and tells the 1st, 2nd, 4th, 8th, .."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._count, self._lock = tell, 0, threading.Lock()

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1
            count = self._count
        if count.bit_count() == 1:
            self._tell(count)
