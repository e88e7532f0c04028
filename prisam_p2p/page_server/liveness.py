"""Whether a run still has its launcher or a peer, seen from outside."""

from __future__ import annotations

import fcntl
from pathlib import Path

_LAUNCHER = Path("journal", "launcher.jsonl")


def is_running(run_dir: Path) -> bool:
    """Tell whether a process of the run lives: they hold a lock on the launcher's journal.

    The lock is tried for an instant, and shared: a launcher that begins just then tries again.
    """
    try:
        with (run_dir / _LAUNCHER).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
