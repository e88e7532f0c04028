"""The zygote (zygote.py): it forks peers when told to, and samples, signals and reaps them."""

from __future__ import annotations

import errno
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from prisam_p2p.control.codec import encode
from prisam_p2p.control.messages import ResourceLost
from prisam_p2p.control.spec import ProcessInput
from prisam_p2p.processes.sampling import Sampled, Sampler
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
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
        for child in self._children.values():
            os.waitpid(child.pid, 0)
        os._exit(0)

    def _obey(self) -> bool:
        orders = self._orders.receive()
        for order in orders or ():
            match order:
                case {"fork": given, "place": place, "number": number}:
                    self._fork(given, place, number)
                case {"sample": _}:
                    found = self._sampler.samples(self._children)
                    write_line(self._line, {"samples": [sample.row() for sample in found]})
                case {"number": number, "signal": signum} if number in self._children:
                    os.kill(self._children[number].pid, signum)
        return orders is not None

    def _fork(self, given: str, place: int, number: int) -> None:
        if not self._orders.descriptors:  # the system drops one that is beyond the limit
            write_line(self._line, {"refused": errno.EMFILE})
            return
        control = self._orders.descriptors.pop(0)
        self._sampler.clear(place)
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
