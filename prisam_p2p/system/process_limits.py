"""Limits of a process: memory, open files, and its end with its parent's."""

from __future__ import annotations

import contextlib
import errno
import mmap
import resource
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MIB = 2**20
_BLAS_BYTES = 2 * 33 * MIB
"""Measured on x86_64: 32 MiB for each of the two, and some pages around them."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def adopt_orphans() -> None:
    """Become the parent of processes whose parent, a descendant of this one, has died (Linux).

    So the launcher finds processes that its children leave behind.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def allow_many_files() -> None:
    """Raise this process's limit of open files to the most that the system allows.

    Children inherit it. A peer needs about six descriptors for each neighbor.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def data_bytes(pid: int | None = None) -> int | None:
    """Return the size of a process's private writable memory in bytes, None if it is unknown.

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
    """Measures the peak of this process's private writable memory, above that at `start`."""

    def __init__(self) -> None:
        self._baseline: int | None = None
        self._peak_bytes: int | None = None

    def start(self) -> None:
        """Make the present memory the baseline."""
        self._baseline = data_bytes()

    @property
    def peak_mib(self) -> float | None:
        """The peak in MiB above the baseline; None without a sample, or where it is unknown."""
        return None if self._peak_bytes is None else round(self._peak_bytes / MIB, 2)

    def now_mib(self) -> float | None:
        """Return the memory now, in MiB above the baseline; None before `start` or if unknown."""
        now = data_bytes()
        if self._baseline is None or now is None:
            return None
        return round((now - self._baseline) / MIB, 2)

    def sample(self) -> None:
        """Measure the memory now; does nothing before `start`."""
        if self._baseline is not None:
            self._peak_bytes = max(self._peak_bytes or 0, (data_bytes() or 0) - self._baseline)


@contextlib.contextmanager
def memory_above_baseline(memory_mib: int | None) -> Iterator[None]:
    """Limit this process, inside the block, to `memory_mib` beyond the memory that it has now.

    So the limit does not include the memory of imports and sockets. An allocation that exceeds it
    raises MemoryError, or torch's RuntimeError (see `is_out_of_memory`). There is no limit with
    None, or where the system does not tell the present memory.
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


@cache
def check_room_for_blas() -> None:
    """Check, once, that this process can have the buffers of OpenBLAS; call it before clustering.

    NumPy and SciPy each have an OpenBLAS, which maps a buffer at its first product of matrices and
    then keeps it. Where the system refuses the buffer, OpenBLAS asks again for ever.

    Raises:
        MemoryError: the buffers do not fit.
    """
    try:
        mmap.mmap(-1, _BLAS_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        raise MemoryError(f"{_BLAS_BYTES} bytes for OpenBLAS: {error.strerror}") from error


_NO_MEMORY = (
    "can't allocate memory",
    "could not create a",
    "bad_alloc",
    "bad allocation",
    "failed to map segment from shared object",
    "CUDA out of memory",
    "the transport broke: MemoryError",
)
"""Parts of the errors of torch, oneDNN, C++, DuckDB, CUDA, the loader, the transport's thread."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` reports an allocation that failed."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error)
    return isinstance(error, MemoryError) or any(phrase in text for phrase in _NO_MEMORY)
