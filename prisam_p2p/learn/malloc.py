"""Settings of glibc's malloc, which keeps much of the memory that torch frees.

Without glibc, the functions do nothing.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1


def use_one_heap() -> None:
    """Let all threads of this process share one heap; call it before a second thread starts.

    A peer's few threads hardly contend for it, while each heap of a thread would keep the most
    that the thread ever used.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, 2**30)  # leaves it to `return_freed_memory`
        # Reuse the memory of messages of a chunk instead of mapping new pages for each.
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 4 * 2**20)


def return_freed_memory() -> None:
    """Return freed memory to the system.

    A peer then holds between its steps what it needs, instead of the most that a step needed,
    which lets a hundred peers fit on one host (benchmarks/cost.py).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
