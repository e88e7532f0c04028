"""What this process holds, and what runs in its session: whatever is more afterwards has leaked."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Held:
    """What is held at one moment.

    Attributes:
        processes: of this session, by pid.
        descriptors: number of open files, sockets and pipes of this process.
        namespaces: network namespaces that some process of this session lives in.
    """

    processes: frozenset[int]
    descriptors: int
    threads: int
    namespaces: frozenset[str]

    def leaked_since(self, before: Held) -> list[str]:
        """Return in words what is here and was not before."""
        kinds: dict[str, frozenset[int] | frozenset[str]] = {
            "processes": self.processes - before.processes,
            "network namespaces": self.namespaces - before.namespaces,
        }
        found = [
            f"{name}: {', '.join(sorted(map(str, new)))}" for name, new in kinds.items() if new
        ]
        for name in ("descriptors", "threads"):
            here, there = getattr(self, name), getattr(before, name)
            if here > there:
                found.append(f"{name}: {here} after {there}")
        return found


def held() -> Held:
    """Look."""
    session, pids, namespaces = os.getsid(0), set[int](), set[str]()
    for pid in psutil.pids():
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                namespaces.add(os.readlink(f"/proc/{pid}/ns/net"))
                pids.add(pid)
    n_descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Held(frozenset(pids), n_descriptors, threading.active_count(), frozenset(namespaces))
