"""How processes are started, signalled, sampled and reaped: the one interface, and plain spawning.

Other engines (containers, a cluster's scheduler) come behind the same interface.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.control.spec import BoardSpec, Incarnation, PeerSpec, ProcessInput
from prisam_p2p.launch.sampling import Sample, Sampler, period_s
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import LineSocket


@dataclass(frozen=True)
class ProcessExit:
    """A process has ended; `code` is its exit code, or minus the signal that ended it."""

    pid: int
    code: int


@dataclass(frozen=True)
class Trouble:
    """A process that the launcher needs besides the peers stands still.

    Attributes:
        name, reason, since_s: as in "zygote", "stopped", 12.0.
    """

    name: str
    reason: str
    since_s: float


class Engine(Protocol):
    """Starts, signals, samples and reaps the processes of peers.

    Attributes:
        on_wait: called several times a second while `start` waits; may raise.
    """

    on_wait: Callable[[], object]

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> tuple[int, LineSocket]:
        """Return the new process' pid and the launcher's end of its control line.

        Raises:
            LaunchError: what this engine needs has ended, or stood still for too long.
        """

    def exits(self) -> list[ProcessExit]:
        """Return the processes that ended since the last call."""

    def samples(self) -> list[Sample] | None:
        """Return new samples of all processes, None where it is not time yet; never waits.

        Raises:
            LaunchError: as `start`.
        """

    def trouble(self) -> Trouble | None:
        """Return what stands still of that which this engine needs itself, if anything does."""

    def signal(self, pid: int, number: int) -> None:
        """Signal a process that this engine started; nothing happens if it has ended."""

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what becomes readable when a process ends, if this engine has such a thing."""

    def close(self) -> None:
        """Kill the processes that are left."""


class SpawnEngine:
    """A fresh interpreter per peer: slower and larger than a fork, and portable.

    Args:
        board: where the peers show what they are doing.
    """

    def __init__(self, board: BoardSpec) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._places: dict[int, int] = {}
        self._sampler, self._sampled_s = Sampler(board), 0.0
        self._period_s = period_s(board.n_peers)
        self.on_wait: Callable[[], object] = lambda: None

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> tuple[int, LineSocket]:
        """See Engine."""
        text = ProcessInput(spec=spec, incarnation=incarnation).model_dump_json().encode()
        ours, theirs = socket.socketpair()
        places = (spec.network or {}).values()
        board = spec.board.fd if spec.board else None
        fds = (theirs.fileno(), spec.data.fd, spec.turns_fd, board, *places)
        self._sampler.clear(spec.index)
        with theirs, spec.log_path.open("ab") as log:
            child = subprocess.Popen(
                [*CHILD_PYTHON, "-m", incarnation.entry, str(theirs.fileno())],
                pass_fds=[fd for fd in fds if fd is not None],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**child_environment(), "OMP_NUM_THREADS": str(spec.device.threads)},
            )
        self._children[child.pid], self._places[child.pid] = child, spec.index
        line = LineSocket(ours)
        line.send_line(len(text).to_bytes(4, "big") + text)
        return child.pid, line

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        gone = [(pid, child.poll()) for pid, child in self._children.items()]
        ended = [ProcessExit(pid, code) for pid, code in gone if code is not None]
        for each in ended:
            del self._children[each.pid], self._places[each.pid]
        return ended

    def samples(self) -> list[Sample] | None:
        """See Engine."""
        if time.monotonic() - self._sampled_s < self._period_s:
            return None
        self._sampled_s = time.monotonic()
        return self._sampler.samples(self._places)

    def trouble(self) -> Trouble | None:
        """See Engine: it needs nothing."""
        return None

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
