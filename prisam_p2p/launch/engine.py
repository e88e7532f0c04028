"""How processes are started, signalled and reaped: the one interface, and plain spawning.

Other engines (containers, a cluster's scheduler) come behind the same interface.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.control.spec import Incarnation, PeerSpec, ProcessInput

TAKES_S = 60.0
"""A process that has not read its input by then is killed."""


@dataclass(frozen=True)
class ProcessExit:
    """A process has ended; `code` is its exit code, or minus the signal that ended it."""

    pid: int
    code: int


class Engine(Protocol):
    """Starts, signals and reaps the processes of peers."""

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> tuple[int, socket.socket]:
        """Return the new process' pid and the launcher's end of its control line."""

    def exits(self) -> list[ProcessExit]:
        """Return the processes that ended since the last call."""

    def signal(self, pid: int, number: int) -> None:
        """Signal a process that this engine started; nothing happens if it has ended."""

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what becomes readable when a process ends, if this engine has such a thing."""

    def close(self) -> None:
        """Kill the processes that are left."""


class SpawnEngine:
    """A fresh interpreter per peer: slower and larger than a fork, and portable."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> tuple[int, socket.socket]:
        """See Engine."""
        text = ProcessInput(spec=spec, incarnation=incarnation).model_dump_json().encode()
        ours, theirs = socket.socketpair()
        places = (spec.network or {}).values()
        fds = (theirs.fileno(), spec.data.fd, spec.turns_fd, *places)
        with theirs, spec.log_path.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", incarnation.entry, str(theirs.fileno())],
                pass_fds=[fd for fd in fds if fd is not None],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": str(spec.device.threads)},
            )
        ours.settimeout(TAKES_S)
        try:
            ours.sendall(len(text).to_bytes(4, "big") + text)
        except TimeoutError:
            child.kill()  # `exits` tells
        except BrokenPipeError:
            pass  # it has ended already
        ours.settimeout(None)
        self._children[child.pid] = child
        return child.pid, ours

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        gone = [(pid, child.poll()) for pid, child in self._children.items()]
        ended = [ProcessExit(pid, code) for pid, code in gone if code is not None]
        for each in ended:
            del self._children[each.pid]
        return ended

    def signal(self, pid: int, number: int) -> None:
        """See Engine."""
        if pid in self._children:
            self._children[pid].send_signal(number)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine: it has none; the end of a process closes its control line."""

    def close(self) -> None:
        """See Engine."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait()
        self._children.clear()
