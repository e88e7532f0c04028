"""How a process that an engine of hosts has started is told to end: by its stdin, or a signal."""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress

_READ_BYTES = 1 << 12


class AskedToEnd(Exception):
    """Whoever started this process wants it to end at once; the text says how that was told."""


class EndRequests:
    """Watches standard input for its end, and SIGTERM and SIGHUP. Ctrl-C is the launcher's.

    Attributes:
        descriptors: one becomes readable when there is something to check.
    """

    def __init__(self) -> None:
        self._woken, self._wake = socket.socketpair()
        for each in (self._woken, self._wake):
            each.setblocking(False)
        self._told: list[str] = []
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, _frame: self._told.append(signal.Signals(n).name))
        signal.set_wakeup_fd(self._wake.fileno())
        self.descriptors = (0, self._woken.fileno())
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def check(self) -> None:
        """Raise AskedToEnd if this process is to end."""
        while self._poll.poll(0) and not self._told:
            if not os.read(0, _READ_BYTES):
                self._told.append("the end of standard input")
        if self._told:
            raise AskedToEnd(self._told[0])
        with suppress(BlockingIOError):
            self._woken.recv(_READ_BYTES)
