"""The memory that torch frees but the C library keeps."""

from __future__ import annotations

import contextlib
import ctypes


def give_memory_back() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    Between its steps a peer then holds what it needs, not what its largest step needed: over a
    hundred peers on one host that is the difference (benchmarks/cost.py).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
