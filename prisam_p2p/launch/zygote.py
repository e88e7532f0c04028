"""Fork peers from a warm process: a child is ready in milliseconds and shares its pages.

The zygote is forked from the launcher once everything heavy is imported and cached, while that
still has one thread, no ZeroMQ context and no CUDA; it stays that way, so its forks are sound.
When the launcher dies the kernel kills the zygote, and with it the peers.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from prisam_p2p.control.codec import encode
from prisam_p2p.control.messages import ResourceLost
from prisam_p2p.control.spec import ENTRY, Incarnation, PeerSpec, ProcessInput
from prisam_p2p.errors import LaunchError
from prisam_p2p.launch.engine import ProcessExit
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.refusals import refused

_ANSWER_S = 30.0
"""A fork takes milliseconds; a zygote that takes this long is stopped or has ended."""


class ZygoteEngine:
    """The launcher's end: asks the zygote to fork, and is told of exits. See engine.Engine."""

    def __init__(self) -> None:
        importlib.import_module(ENTRY)
        gc.collect()
        gc.freeze()  # children's collections then write to no shared page
        self._line, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()
            _Zygote(theirs).run()
        theirs.close()
        self._line.settimeout(_ANSWER_S)
        gc.unfreeze()
        self._answers = JsonLines(self._line)
        self._exits: list[ProcessExit] = []

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> tuple[int, socket.socket]:
        """See Engine."""
        ours, theirs = socket.socketpair()
        with theirs:
            given = ProcessInput(spec=spec, incarnation=incarnation)
            self._order({"fork": given.model_dump_json()}, (theirs.fileno(),))
        deadline = time.monotonic() + _ANSWER_S
        while self._answers.waiting(max(0.0, deadline - time.monotonic())):
            for answer in self._receive():
                if "forked" in answer:
                    return answer["forked"], ours
                if number := answer.get("refused"):
                    ours.close()
                    raise OSError(number, os.strerror(number))
        raise LaunchError("zygote", f"it did not fork {spec.peer_id} within {_ANSWER_S:g} s")

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        while self._answers.waiting():
            self._receive()
        ended, self._exits = self._exits, []
        return ended

    def signal(self, pid: int, number: int) -> None:
        """See Engine. The zygote does it: it knows which of its children are still its own."""
        self._order({"signal": number, "pid": pid})

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine."""
        selector.register(self._line, selectors.EVENT_READ, None)

    def close(self) -> None:
        """See Engine: at the end of its line the zygote kills its children and ends."""
        self._line.close()
        deadline = time.monotonic() + _ANSWER_S
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:  # stopped, perhaps; its peers die with it
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.005)

    def _order(self, order: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        try:
            write_line(self._line, order, descriptors)
        except TimeoutError as error:
            raise LaunchError("zygote", f"it took no orders for {_ANSWER_S:g} s") from error

    def _receive(self) -> list[dict[str, int]]:
        answers = self._answers.receive()
        if answers is None:
            raise LaunchError("zygote", "it ended before the run did")
        self._exits += [ProcessExit(a["exited"], a["code"]) for a in answers if "exited" in a]
        return answers


class _Zygote:
    """The forked end: one thread, a line to the launcher, and children."""

    def __init__(self, line: socket.socket) -> None:
        die_with_parent()
        self._line, self._orders = line, JsonLines(line)
        self._children: set[int] = set()

    def run(self) -> NoReturn:
        """Obey until the launcher closes the line."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the launcher's to handle
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to write to the wakeup descriptor
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if woken in ready:
                    woken.recv(4096)
                    self._reap()
                if self._line in ready and not self._obey():
                    break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)
        os._exit(0)

    def _obey(self) -> bool:
        orders = self._orders.receive()
        for order in orders or ():
            if "fork" in order:
                self._fork(order["fork"])
            elif order["pid"] in self._children:
                os.kill(order["pid"], order["signal"])
        return orders is not None

    def _fork(self, given: str) -> None:
        if not self._orders.descriptors:  # the system drops one that is beyond the limit
            write_line(self._line, {"refused": errno.EMFILE})
            return
        control = self._orders.descriptors.pop(0)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(control)
            write_line(self._line, {"refused": error.errno})
            return
        if pid == 0:
            self._line.close()
            _become(ProcessInput.model_validate_json(given), control)
        os.close(control)
        self._children.add(pid)
        write_line(self._line, {"forked": pid})

    def _reap(self) -> None:
        for pid in list(self._children):
            with suppress(ChildProcessError):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    self._children.remove(pid)
                    code = os.waitstatus_to_exitcode(status)
                    write_line(self._line, {"exited": pid, "code": code})


def _print_to(log_path: Path, control: int) -> None:
    """Print to the peer's log from now on; a process without a log reports why, and ends."""
    try:
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
    except OSError as error:
        why = refused(error)
        os.write(control, encode(ResourceLost(why.what, why.reason, why.to_do)))
        os._exit(why.exit_code)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _become(given: ProcessInput, control: int) -> NoReturn:
    """Turn this fork into the process of a peer; never returns into the zygote's code."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _print_to(given.spec.log_path, control)
        sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        module = importlib.import_module(given.incarnation.entry)
        module.main(given.spec, given.incarnation, socket.socket(fileno=control))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
