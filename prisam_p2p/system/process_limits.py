"""Hold a process to its device's limits, as far as this system can."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

MIB = 2**20


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def adopt_orphans() -> None:
    """Have the kernel give this process what its children leave behind (Linux), so it is found."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def allow_many_files() -> None:
    """Let this process and its children open as many files as the system allows them.

    A peer needs about six descriptors for each neighbor.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def data_bytes(pid: int | None = None) -> int | None:
    """Return the bytes of a process' private writable memory, None where it is not told.

    Args:
        pid: None = this process.
    """
    with contextlib.suppress(OSError):
        status = Path("/proc", "self" if pid is None else str(pid), "status")
        for line in status.read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return None


class MemoryMeter:
    """The most private writable memory seen above what there was at `start`."""

    def __init__(self) -> None:
        self._baseline: int | None = None
        self._peak_bytes: int | None = None

    def start(self) -> None:
        """What there is now is the baseline."""
        self._baseline = data_bytes()

    @property
    def peak_mib(self) -> float | None:
        """MiB above the baseline, None where nobody looked or the system does not tell."""
        return None if self._peak_bytes is None else round(self._peak_bytes / MIB, 2)

    def sample(self) -> None:
        """Look now."""
        if self._baseline is not None:
            self._peak_bytes = max(self._peak_bytes or 0, (data_bytes() or 0) - self._baseline)


@contextlib.contextmanager
def memory_above_baseline(memory_mib: int | None) -> Iterator[None]:
    """Let this process allocate `memory_mib` beyond what it has now; more raises.

    The baseline is what imports and sockets took. An excess is an exception that can be caught
    (MemoryError, or torch's RuntimeError); the limit is lifted again on the way out. Where the
    system does not tell the baseline there is no limit.
    """
    baseline = data_bytes()
    if memory_mib is None or baseline is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (baseline + memory_mib * MIB, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


_NO_MEMORY = (
    "can't allocate memory",
    "could not create a",
    "bad_alloc",
    "CUDA out of memory",
    "the transport broke: MemoryError",
)
"""How torch, oneDNN, C++, CUDA and the transport's thread say it in a RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` is a refused allocation."""
    text = str(error)
    return isinstance(error, MemoryError) or any(phrase in text for phrase in _NO_MEMORY)
