"""The packets of one delayed link that wait for their time."""

from __future__ import annotations

import random
from collections import deque


class Held:
    """Packets by number, oldest first; none overtakes another.

    Attributes:
        delay_s, jitter_s: of packets that are added from now on.
    """

    def __init__(self, seed: int) -> None:
        self.delay_s = self.jitter_s = 0.0
        self._packets: deque[tuple[float, int]] = deque()
        self._last_s = 0.0
        self._random = random.Random(seed)

    @property
    def next_s(self) -> float | None:
        """When the oldest is due, None without one."""
        return self._packets[0][0] if self._packets else None

    def add(self, now_s: float, packet: int) -> None:
        """Take a packet that came now; it leaves no earlier than those before it."""
        varied_s = self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
        self._last_s = max(self._last_s, now_s + max(0.0, varied_s))
        self._packets.append((self._last_s, packet))

    def release(self, until_s: float) -> int | None:
        """Forget what is due by then; return the number of the last of it, None if nothing is."""
        last = None
        while self._packets and self._packets[0][0] <= until_s:
            _, last = self._packets.popleft()
        if not self._packets:
            self._last_s = 0.0
        return last
