"""Processes, descriptors, threads and namespaces that this program holds, to find leaked ones."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Held:
    """What this program holds at one moment.

    Attributes:
        processes: descendants of this process, by pid; all of them once it adopts orphans.
        descriptors, threads: numbers of open files, sockets and pipes, and of threads, of this
            process; None: not counted.
        namespaces: network namespaces that one of them lives in.
    """

    processes: frozenset[int]
    descriptors: int | None
    threads: int | None
    namespaces: frozenset[str]

    def leaked_since(self, before: Held) -> list[str]:
        """Return in words what is here and was not before.

        Descriptors and threads only where `before` counted them.
        """
        kinds: dict[str, frozenset[int] | frozenset[str]] = {
            "processes": self.processes - before.processes,
            "network namespaces": self.namespaces - before.namespaces,
        }
        found = [
            f"{name}: {', '.join(sorted(map(str, new)))}" for name, new in kinds.items() if new
        ]
        for name in ("descriptors", "threads"):
            here, there = getattr(self, name), getattr(before, name)
            if there is not None and here > there:
                found.append(f"{name}: {here} after {there}")
        return found


def uncounted(at: Held) -> Held:
    """Return the same without counts, which a program's first run may raise for good."""
    return replace(at, descriptors=None, threads=None)


def held() -> Held:
    """Return what is held now."""
    pids, namespaces = set[int](), set[str]()
    for child in psutil.Process().children(recursive=True):
        with suppress(OSError, psutil.NoSuchProcess):  # it ended meanwhile
            if child.status() != psutil.STATUS_ZOMBIE:
                namespaces.add(os.readlink(f"/proc/{child.pid}/ns/net"))
                pids.add(child.pid)
    n_descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Held(frozenset(pids), n_descriptors, threading.active_count(), frozenset(namespaces))
