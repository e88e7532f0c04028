"""What the kernel says of a process: its state, and the CPU time of its main thread (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_STATE, _UTIME, _STIME = 0, 11, 12
"""Places of the fields that follow the command's name, in proc_pid_stat(5)."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A look at a process.

    Attributes:
        letter: R runs or waits for a core, S sleeps, D waits for a disk, T is stopped, t is
            stopped by a debugger, Z has ended and is not reaped yet.
        main_cpu_s: CPU time of its main thread so far, in steps of a clock tick (10 ms).
    """

    letter: str
    main_cpu_s: float


def process_state(pid: int) -> ProcessState | None:
    """Return the state of a process, None if it is gone or this system does not tell."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[_UTIME]) + int(fields[_STIME])
    return ProcessState(fields[_STATE], ticks * _TICK_S)
