"""A device's network rate, kept by spacing transmissions. Pure: time comes in as a number."""

from __future__ import annotations


class Pacer:
    """Limits a device to `rate_bytes_s`, and measures its busiest second.

    Chunks are not split: each goes at once, and delays the next by its length divided by the rate.

    Args:
        rate_bytes_s: None = no limit.
    """

    def __init__(self, rate_bytes_s: float | None) -> None:
        self._rate = rate_bytes_s
        self._free_at_s = 0.0
        self._second, self._in_second = 0, 0
        self.peak_bytes_s = 0

    def delay_s(self, now_s: float) -> float:
        """Return how long to wait until the next bytes may go; 0 = they may go now."""
        return max(0.0, self._free_at_s - now_s)

    def spend(self, n_bytes: int, now_s: float) -> None:
        """Account for `n_bytes` that go now."""
        if self._rate is not None:
            self._free_at_s = max(self._free_at_s, now_s) + n_bytes / self._rate
        if int(now_s) != self._second:
            self._second, self._in_second = int(now_s), 0
        self._in_second += n_bytes
        self.peak_bytes_s = max(self.peak_bytes_s, self._in_second)


def bytes_per_second(mbit_s: float | None) -> float | None:
    """Convert a rate in Mbit/s (1 Mbit = 10^6 bit)."""
    return None if mbit_s is None else mbit_s * 1e6 / 8
