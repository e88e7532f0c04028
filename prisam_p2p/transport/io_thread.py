"""The transport's thread: it waits for sockets, commands of other threads, and the clock."""

from __future__ import annotations

import contextlib
import socket
import time
import traceback
from collections.abc import Callable
from queue import SimpleQueue

import zmq

from prisam_p2p.system.side_thread import SideThread
from prisam_p2p.transport.sockets import Socket

_DRAIN_S = 2.0
"""At the end, what is readable is read, for at most this long."""


class IoThread:
    """Runs all handlers in one thread.

    What it was called for before its start is done before any message is read.

    Args:
        begin, end: called in the thread before its first and after its last wait.
        keep_time: called after each wait.
        next_s: returns how long the next wait may last; None = until something comes.
        on_broken: told the traceback if a handler raises, which is a bug of ours.
    """

    def __init__(
        self,
        begin: Callable[[], None],
        keep_time: Callable[[], None],
        next_s: Callable[[], float | None],
        end: Callable[[], None],
        on_broken: Callable[[str], None],
    ) -> None:
        self._begin, self._keep_time, self._next_s = begin, keep_time, next_s
        self._end, self._on_broken = end, on_broken
        self._commands: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._waker, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._handlers: dict[object, Callable[[int], None]] = {}
        self._poller = zmq.Poller()
        self._closing = False
        self._thread = SideThread(self._run, "transport")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, command: Callable[[], object]) -> None:
        """Have `command` run in the thread; for any thread."""
        self._commands.put(command)
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: the thread ended
            self._wake.send(b"\0")

    def listen(
        self, source: Socket | int, handler: Callable[[int], None], flags: int = zmq.POLLIN
    ) -> None:
        """Call `handler` with the flags that are up whenever `source` is ready."""
        self._handlers[source] = handler
        self._poller.register(source, flags)

    def forget(self, source: Socket | int) -> None:
        """Listen to a source no more, which may then be closed."""
        if self._handlers.pop(source, None):
            self._poller.unregister(source)

    def close(self, timeout_s: float) -> None:
        """Read what is readable, then end the thread, if it was started."""
        self._closing = True
        if self._thread.ident is not None:
            self.call(lambda: None)
            self._thread.join(timeout_s)
        else:
            self._end()
        self._waker.close()  # not in the thread, which may end before it is woken
        self._wake.close()

    def _run(self) -> None:
        try:
            self.listen(self._waker.fileno(), self._obey)
            self._begin()
            self._obey_all()
            while not self._closing:
                wait_s = self._next_s()
                self._handle(None if wait_s is None else max(0, int(wait_s * 1000) + 1))
                self._keep_time()
            enough = time.monotonic() + _DRAIN_S
            while self._handle(0) and time.monotonic() < enough:
                pass
        except Exception:
            self._on_broken(traceback.format_exc())
        finally:
            self._end()

    def _handle(self, timeout_ms: int | None) -> bool:
        ready = self._poller.poll(timeout_ms)
        for source, flags in ready:
            if handler := self._handlers.get(source):  # else an earlier handler closed it
                handler(flags)
        return bool(ready)

    def _obey(self, _flags: int) -> None:
        self._waker.recv(4096)
        self._obey_all()

    def _obey_all(self) -> None:
        while not self._commands.empty():
            self._commands.get()()
