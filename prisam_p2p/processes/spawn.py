"""A fresh interpreter per peer, where processes are not forked."""

from __future__ import annotations

import itertools
import selectors
import socket
import subprocess
import time
from collections.abc import Callable

from prisam_p2p.control.spec import BoardSpec, Incarnation, PeerSpec, ProcessInput
from prisam_p2p.processes.engine import ProcessExit, StartedProcess, Trouble
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.processes.sampling import Sample, Sampled, Sampler, period_s
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import LineSocket


class SpawnEngine:
    """A fresh interpreter per peer: slower and larger than a fork, and portable.

    Args:
        board: where the peers show what they are doing.
    """

    def __init__(self, board: BoardSpec) -> None:
        self._numbers = itertools.count(1)
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._sampled: dict[int, Sampled] = {}
        self.acts = LocalProcessActs(self._pid_of, self._send)
        self._sampler, self._sampled_s = Sampler(board), 0.0
        self._period_s = period_s(board.n_peers)
        self.on_wait: Callable[[], object] = lambda: None

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> StartedProcess:
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
        number = next(self._numbers)
        self._children[number], self._sampled[number] = child, Sampled(child.pid, spec.index)
        line = LineSocket(ours)
        line.send_line(len(text).to_bytes(4, "big") + text)
        return StartedProcess(number, child.pid, line)

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        gone = [(number, child.poll()) for number, child in self._children.items()]
        ended = [ProcessExit(number, code) for number, code in gone if code is not None]
        for each in ended:
            del self._children[each.number], self._sampled[each.number]
        return ended

    def samples(self) -> list[Sample] | None:
        """See Engine."""
        if time.monotonic() - self._sampled_s < self._period_s:
            return None
        self._sampled_s = time.monotonic()
        return self._sampler.samples(self._sampled)

    def trouble(self) -> Trouble | None:
        """See Engine: it needs nothing."""
        return None

    def signal(self, number: int, signum: int) -> None:
        """See Engine."""
        self.acts.signal(number, signum)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine: it has none; the end of a process closes its control line."""

    def close(self) -> None:
        """See Engine."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait()
        self._children.clear()

    def _pid_of(self, number: int) -> int | None:
        return self._children[number].pid if number in self._children else None

    def _send(self, number: int, signum: int) -> None:
        if number in self._children:
            self._children[number].send_signal(signum)
