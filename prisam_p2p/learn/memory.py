"""The memory that torch frees but the C library keeps."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1


def one_heap() -> None:
    """Let all threads of this process share one heap, where the C library can (glibc).

    A peer's few threads do not contend for it, and each heap of its own would keep what it once
    needed.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, 2**30)  # only `give_memory_back` does
        # Messages of a chunk are used again, not mapped anew, page by page, each time.
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 4 * 2**20)


def give_memory_back() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    Between its steps a peer then holds what it needs, not what its largest step needed: over a
    hundred peers on one host that is the difference (benchmarks/cost.py).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
