"""Programs of the package in forks of one warm process: its imports take seconds, a fork none.

Such a program is a process of its own all the same: its session, arguments, environment, working
directory, pipes and exit code are those of a fresh interpreter. What forks have in common is what
the interpreter draws when it starts (the hashes of texts) and when modules are imported. So a test
of whether two runs are the same starts one of them fresh. And a fork ends without giving back
memory object by object, which writes to all pages that it shares and takes as long as a round.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
IMPORTS = (  # all that a launch imports, at its start, in its peers and for its summary
    "prisam_p2p.cli",
    "prisam_p2p.launch.launch",
    "prisam_p2p.peer.process",
    "prisam_p2p.report.summaries",
    "sklearn.cluster",
    "duckdb",
    "torch_pruning",
)
START_TAKES_S = 120.0
MOST_BYTES = 1 << 17
"""Of an order: arguments and environment."""


class WarmProcess:
    """A program that runs in a fork. Used as a subprocess.Popen of texts; it has a session.

    Args:
        program: the name of a command in `prisam_p2p.cli`, as `main`.
        called: what the program calls itself.
    """

    def __init__(self, program: str, called: str, arguments: Sequence[str]) -> None:
        self.args = [called, *arguments]
        self.returncode: int | None = None
        self._line, theirs = socket.socketpair()
        (out, its_out), (err, its_err) = os.pipe(), os.pipe()
        order = {
            "program": program,
            "called": called,
            "arguments": [*arguments],
            "cwd": os.getcwd(),
            "environment": dict(os.environ),
        }
        handed = (theirs.fileno(), its_out, its_err)
        socket.send_fds(_warm(), [json.dumps(order).encode()], handed)
        theirs.close()
        os.close(its_out)
        os.close(its_err)
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self._heard: dict[int, list[bytes]] = {out: [], err: []}
        self._line.settimeout(START_TAKES_S)
        self.pid = self._told()

    def _told(self) -> int:
        if len(told := self._line.recv(8)) < 8:
            raise RuntimeError("the warm process, or who waits for this program, has ended")
        return int.from_bytes(told, "big", signed=True)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code, as subprocess.Popen does."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = self._told()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and return all that it wrote and nobody read yet."""
        ends = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for file in (self.stdout, self.stderr):
                selector.register(file.fileno(), selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(ends and max(0.0, ends - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
                for key, _ in ready:
                    found = os.read(key.fd, 1 << 16)
                    self._heard[key.fd].append(found)
                    if not found:
                        selector.unregister(key.fd)
        self.wait(ends and max(0.0, ends - time.monotonic()))
        out, err = (b"".join(read).decode() for read in self._heard.values())
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it if it still runs."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()
        self._line.close()


@cache
def _warm() -> socket.socket:
    """Start the warm process, which ends with this one; return the line to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    return ours


# -- the warm process ---------------------------------------------------------------------------


def _serve(line: socket.socket) -> Callable[[], Any]:
    """Fork once for each order until nobody is there to give one; return in the forks alone."""
    sys.path[0] = str(ROOT)
    for name in IMPORTS:
        importlib.import_module(name)
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, "a process with threads cannot be forked soundly"
    gc.collect()
    gc.freeze()  # collections of the forks then write to no shared page
    while True:
        text, fds, _, _ = socket.recv_fds(line, MOST_BYTES, 3)
        if not text:
            os._exit(0)  # as `_run` does
        if os.fork() == 0:
            line.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _kept(json.loads(text), *fds)
        for fd in fds:
            os.close(fd)


def _kept(order: dict[str, Any], line: int, out: int, err: int) -> Callable[[], Any]:
    """Fork the program, which tells its pid, and tell its end; return in that fork alone."""
    told = socket.socket(fileno=line)
    if pid := os.fork():
        os.close(out)
        os.close(err)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        told.send(code.to_bytes(8, "big", signed=True))
        os._exit(0)
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    told.send(os.getpid().to_bytes(8, "big", signed=True))
    told.close()
    os.closerange(3, 1 << 20)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [order["called"], *order["arguments"]]
    program = getattr(sys.modules["prisam_p2p.cli"], order["program"])
    return partial(program, order["arguments"], prog_name=order["called"])


def _run(program: Callable[[], Any]) -> NoReturn:
    """Run a program that ends by sys.exit(code), and end as multiprocessing ends its forks.

    Anything else that ends it goes through to the interpreter, which tells of it.
    """
    try:
        program()
        code = 0
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        code = ended.code
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))
