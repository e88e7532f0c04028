"""The zygote (zygote.py): it forks peers when told to, and samples, signals and reaps them.

Orders on its line, one JSON object each: fork, sample, signal, and lease: until when it may live
without a later one. A lease is what a host agent gives (hosts/): when it is over, the zygote kills
its children and itself, so that peers end although the agent is stopped.
"""

from __future__ import annotations

import errno
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
from prisam_p2p.control.spec import ProcessInput
from prisam_p2p.processes.sampling import Sampled, Sampler
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.refusals import refused


class ZygoteProcess:
    """One thread, a line to the launcher, and children.

    Args:
        line: orders come on it, and answers go.
        sampler: of its children.
    """

    def __init__(self, line: socket.socket, sampler: Sampler) -> None:
        die_with_parent()
        self._line, self._orders, self._sampler = line, JsonLines(line), sampler
        self._children: dict[int, Sampled] = {}
        self._lease_s: float | None = None  # CLOCK_MONOTONIC; None = no end

    def run(self) -> NoReturn:
        """Obey until the launcher closes the line, or the lease is over."""
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
                ready = {key.fileobj for key, _ in selector.select(self._left_s())}
                if woken in ready:
                    woken.recv(4096)
                    self._reap()
                if (self._line in ready and not self._obey()) or self._is_over():
                    break
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
        for child in self._children.values():
            os.waitpid(child.pid, 0)
        os._exit(0)

    def _left_s(self) -> float | None:
        """Return how long the lease lasts, None without one."""
        return None if self._lease_s is None else max(0.0, self._lease_s - time.monotonic())

    def _is_over(self) -> bool:
        return self._lease_s is not None and time.monotonic() >= self._lease_s

    def _obey(self) -> bool:
        """Obey the orders that are there; return False if there will be none."""
        orders = self._orders.receive()
        # A zygote that was stopped finds many: the latest lease counts, before anything is forked.
        for order in orders or ():
            self._lease_s = order.get("lease", self._lease_s)
        if self._is_over():
            return False
        for order in orders or ():
            match order:
                case {"fork": _}:
                    self._fork(order)
                case {"sample": _}:
                    found = self._sampler.samples(self._children)
                    write_line(self._line, {"samples": [sample.row() for sample in found]})
                case {"number": number, "signal": signum} if number in self._children:
                    os.kill(self._children[number].pid, signum)
        return orders is not None

    def _fork(self, order: dict[str, Any]) -> None:
        """Start a process, as an order of ZygoteEngine says."""
        if not self._orders.descriptors:  # the system drops one that is beyond the limit
            write_line(self._line, {"refused": errno.EMFILE})
            return
        control, number, place = self._orders.descriptors.pop(0), order["number"], order["place"]
        self._sampler.clear(place)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(control)
            write_line(self._line, {"refused": error.errno})
            return
        if pid == 0:
            self._line.close()
            os.environ.update(order["environment"])
            if "log" in order:
                _execute(order["fork"], Path(order["log"]), order["inherits"], control)
            _become(ProcessInput.model_validate_json(order["fork"]), control)
        os.close(control)
        self._children[number] = Sampled(pid, place)
        write_line(self._line, {"forked": number, "pid": pid})

    def _reap(self) -> None:
        for number, child in list(self._children.items()):
            with suppress(ChildProcessError):
                done, status = os.waitpid(child.pid, os.WNOHANG)
                if done:
                    del self._children[number]
                    code = os.waitstatus_to_exitcode(status)
                    write_line(self._line, {"exited": number, "code": code})


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


def _execute(entry: str, log: Path, inherits: list[int], control: int) -> NoReturn:
    """Turn this fork into a fresh interpreter that plays a peer; never returns.

    Args:
        entry: the module; its input comes first on the control line.
        inherits: descriptors that keep their numbers.
    """
    try:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        _print_to(log, control)
        for fd in (*inherits, control):
            os.set_inheritable(fd, True)
        command = [*CHILD_PYTHON, "-m", entry, str(control)]
        os.execve(command[0], command, child_environment())
    finally:
        os._exit(1)


def _become(given: ProcessInput, control: int) -> NoReturn:
    """Turn this fork into the process of a peer; never returns into the zygote's code."""
    code = 1
    try:
        die_with_parent()  # as soon as may be: the zygote may be killed at any moment
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
