"""Fork peers from a warm process: a child is ready in milliseconds and shares its pages.

The zygote is forked from the launcher once everything heavy is imported and cached, while that
still has one thread, no ZeroMQ context and no CUDA; it stays that way, so its forks are sound.
When the launcher dies the kernel kills the zygote, and with it the peers. Here is the launcher's
end; the other is zygote_process.py. A host agent has threads of ZeroMQ, so its zygote is no fork of
it but a program of its own (hosts/host_zygote.py), and is talked to in the same way.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prisam_p2p.control.spec import ENTRY, BoardSpec, Incarnation, PeerSpec, ProcessInput
from prisam_p2p.errors import LaunchError
from prisam_p2p.processes.engine import ProcessExit, StartedProcess, Trouble
from prisam_p2p.processes.helper_process import GONE, HelperProcess
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.processes.sampling import Sample, Sampler, period_s, sample_of
from prisam_p2p.processes.zygote_process import ZygoteProcess
from prisam_p2p.system.json_lines import JsonLines, LineSocket
from prisam_p2p.system.process_state import process_state

NAME = "zygote"

_LOOK_EVERY_S = 0.2

_ENDING_S = 10.0
"""After its line was closed, the zygote kills its children; one that takes longer is killed."""


@dataclass(frozen=True)
class Zygote:
    """A zygote that was started by this process.

    Attributes:
        line: this process's end of the line to it.
        is_ready: it forks at once; else it first says that it is ready.
    """

    pid: int
    line: socket.socket
    is_ready: bool = True


def fork_zygote(board: BoardSpec) -> Zygote:
    """Make a fork of this process a zygote."""
    importlib.import_module(ENTRY)
    sampler = Sampler(board)
    gc.collect()
    gc.freeze()  # children's collections then write to no shared page
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        ZygoteProcess(theirs, sampler).run()
    theirs.close()
    gc.unfreeze()
    return Zygote(pid, ours)


class ZygoteEngine:
    """The launcher's end: asks the zygote to fork and to look, and is told of exits. See Engine.

    Args:
        board: where the peers show what they are doing.
        stall_timeout_s: a zygote that gives no answer for this long is killed.
        zygote: None = a fork of this process.
        fresh: peers are fresh interpreters, not copies of the zygote's.

    Attributes:
        on_wait: see Engine.
        is_ready: whether the zygote forks at once.
    """

    def __init__(
        self,
        board: BoardSpec,
        stall_timeout_s: float,
        zygote: Zygote | None = None,
        fresh: bool = False,
    ) -> None:
        zygote = zygote or fork_zygote(board)
        self._line, self._pid, self.is_ready = zygote.line, zygote.pid, zygote.is_ready
        self._fresh = fresh
        self._line.setblocking(False)
        self._answers = JsonLines(self._line)
        self._watched = HelperProcess(NAME, self._pid, "all peers", stall_timeout_s)
        self._period_s, self._asked_s = period_s(board.n_peers), 0.0
        self._owes_fork = self._owes_samples = False
        self._refused: int | None = None
        self._forked: dict[int, int] = {}  # number -> pid
        self._numbers = itertools.count(1)
        self._exits: list[ProcessExit] = []
        self._samples: list[Sample] | None = None
        self._alive: dict[int, int] = {}  # number -> pid
        self.acts = LocalProcessActs(self._alive.get, self._send)
        self.on_wait: Callable[[], object] = lambda: None

    def start(
        self,
        spec: PeerSpec,
        incarnation: Incarnation,
        environment: Mapping[str, str] | None = None,
    ) -> StartedProcess:
        """See Engine.

        Args:
            environment: what is set in the new process before it does anything.
        """
        ours, theirs = socket.socketpair()
        line, number = LineSocket(ours), next(self._numbers)
        order = {"place": spec.index, "number": number, "environment": dict(environment or {})}
        text = ProcessInput(spec=spec, incarnation=incarnation).model_dump_json()
        if self._fresh:
            order |= _to_a_fresh_one(spec, incarnation)
            line.send_line(len(text.encode()).to_bytes(4, "big") + text.encode())
        else:
            order["fork"] = text
        try:
            self._owes_fork, self._refused = True, None
            with theirs:
                while not self._answers.send_with(order, (theirs.fileno(),)):
                    self._wait()
            while (pid := self._forked.pop(number, None)) is None:
                self._wait()
                if self._refused:
                    raise OSError(self._refused, os.strerror(self._refused))
        except BaseException:
            ours.close()
            raise
        finally:
            self._owes_fork = False
        return StartedProcess(number, pid, line)

    def renew_lease(self, until_s: float) -> None:
        """Let the zygote live until this time of CLOCK_MONOTONIC, unless it is told a later one."""
        self._answers.send({"lease": until_s})

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        self._hear()
        ended, self._exits = self._exits, []
        return ended

    def samples(self) -> list[Sample] | None:
        """See Engine."""
        self._hear()
        self._judge()
        now_s = time.monotonic()
        if not self._owes_samples and now_s - self._asked_s >= self._period_s:
            self._asked_s, self._owes_samples = now_s, True
            self._answers.send({"sample": True})
        found, self._samples = self._samples, None
        return found

    def trouble(self) -> Trouble | None:
        """See Engine."""
        return self._watched.trouble()

    def signal(self, number: int, signum: int) -> None:
        """See Engine."""
        self.acts.signal(number, signum)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine."""
        selector.register(self._line, selectors.EVENT_READ, None)

    def close(self) -> None:
        """See Engine: at the end of its line the zygote kills its children and ends."""
        self._line.close()
        deadline = time.monotonic() + _ENDING_S
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)  # it may be stopped
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:  # its peers die with it
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.005)
        # Where the zygote was killed, the kernel kills its children, and that takes a moment.
        while any(map(_is_there, self._alive.values())) and time.monotonic() < deadline + _ENDING_S:
            time.sleep(0.005)

    def _send(self, number: int, signum: int) -> None:
        """Have the zygote signal a process: it knows which of its children are still its own."""
        self._answers.send({"signal": signum, "number": number})

    def _wait(self) -> None:
        """Wait a moment for the zygote."""
        self._answers.waiting(_LOOK_EVERY_S)
        self._hear()
        self._judge()
        self.on_wait()

    def _hear(self) -> None:
        """Take in what the zygote has answered, and send it what it takes."""
        self._answers.flush()
        while self._answers.waiting():
            answers = self._answers.receive()
            if answers is None:
                raise LaunchError(NAME, GONE)
            for answer in answers:
                self._take_in(answer)

    def _take_in(self, answer: dict[str, Any]) -> None:
        match answer:
            case {"ready": _}:
                self.is_ready = True
            case {"failed": reason}:
                raise LaunchError(NAME, reason)
            case {"forked": number, "pid": pid}:
                self._forked[number] = self._alive[number] = pid
            case {"refused": error}:
                self._refused = error
            case {"exited": number, "code": code}:
                self._exits.append(ProcessExit(number, code))
                self._alive.pop(number, None)
            case {"samples": rows}:
                self._samples, self._owes_samples = [sample_of(row) for row in rows], False

    def _judge(self) -> None:
        """Kill a zygote that has given no answer for too long."""
        owes = self._owes_fork or self._owes_samples
        state = process_state(self._pid) if owes else None
        self._watched.look(time.monotonic(), owes, state.letter if state else "")


def _is_there(pid: int) -> bool:
    state = process_state(pid)
    return state is not None and state.letter not in "ZX"


def _to_a_fresh_one(spec: PeerSpec, incarnation: Incarnation) -> dict[str, Any]:
    """Return what an order to fork has where the fork becomes a fresh interpreter."""
    board = spec.board.fd if spec.board else None
    fds = (spec.data.fd, spec.turns_fd, board, *(spec.network or {}).values())
    return {
        "fork": incarnation.entry,
        "log": str(spec.log_path),
        "inherits": [fd for fd in fds if fd is not None],
    }
