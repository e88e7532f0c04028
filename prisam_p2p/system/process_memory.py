"""What a process has for itself: memory, page tables, CPU time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_KIB = 1024


@dataclass(frozen=True)
class ProcessMemory:
    """One look at a process.

    Attributes:
        private_bytes: in pages that it has written and shares with no process.
        page_table_bytes: what the kernel needs to map its pages, shared ones too; 0 if unknown.
    """

    private_bytes: int
    page_table_bytes: int


def memory_of(pid: int) -> ProcessMemory:
    """Look at a process.

    Raises:
        ProcessLookupError: it has ended.
    """
    try:
        try:
            maps = _fields(Path(f"/proc/{pid}/smaps_rollup"))
            status = _fields(Path(f"/proc/{pid}/status"))
        except FileNotFoundError:  # not Linux
            return ProcessMemory(int(psutil.Process(pid).memory_full_info().uss), 0)
        return ProcessMemory(maps["Private_Dirty"] * _KIB, status.get("VmPTE", 0) * _KIB)
    except (psutil.NoSuchProcess, KeyError, OSError) as error:
        raise ProcessLookupError(f"process {pid} has ended") from error


def cpu_s_of(pid: int) -> float:
    """Return the CPU time of a process, all its threads together, in seconds.

    Raises:
        ProcessLookupError: it has ended.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3), Linux: nanoseconds
    except OSError:
        pass
    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))  # in ticks of 10 ms
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(f"process {pid} has ended") from error


def _fields(path: Path) -> dict[str, int]:
    """Return name -> value of the lines "name:  value .." of a file of /proc."""
    rows = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    found = {}
    for name, rest in rows:
        first = rest.split()[:1]
        if first and first[0].isdigit():
            found[name] = int(first[0])
    return found
