"""The control lines of processes on other hosts, as socket pairs on this one.

Whoever supervises peers reads and writes one end, as of a process here; the far end is pumped: its
bytes become orders to the host's agent, and the agent's reports become bytes.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable

from prisam_p2p.system.json_lines import LineSocket

_READ_BYTES = 1 << 16


class RemoteLines:
    """The far ends.

    Args:
        selector: they are registered there with their process's number.
        send: passes bytes on to a process; b"" = the near end was closed.
    """

    def __init__(
        self, selector: selectors.BaseSelector, send: Callable[[int, bytes], object]
    ) -> None:
        self._selector, self._send = selector, send
        self._far: dict[int, LineSocket] = {}
        self._closing: set[int] = set()
        self._busy: set[int] = set()  # with bytes that are not taken yet, or closing

    def open(self, number: int) -> LineSocket:
        """Return the near end of a new process's line."""
        near, far = socket.socketpair()
        far.setblocking(False)
        self._far[number] = LineSocket(far)
        self._selector.register(far, selectors.EVENT_READ, number)
        return LineSocket(near)

    def write(self, number: int, data: bytes) -> None:
        """Let the near end read what a process has written."""
        if (far := self._far.get(number)) and number not in self._closing:
            far.send_line(data)
            if far.unsent:
                self._busy.add(number)

    def end(self, number: int) -> None:
        """Let the near end come to its end once all was read: the process has closed its own."""
        if number in self._far:
            self._closing.add(number)
            self._busy.add(number)

    def pump(self) -> None:
        """Pass on what was written to near ends."""
        for key, _ in self._selector.select(0):
            if key.data in self._far:
                self._pass_on(key.data)

    def flush(self) -> None:
        """Write what near ends take now."""
        for number in list(self._busy):
            far = self._far[number]
            far.flush()
            if far.unsent:
                continue
            self._busy.discard(number)
            if number in self._closing:
                self.close(number)

    def close(self, number: int) -> None:
        """Close the far end of a process's line."""
        if far := self._far.pop(number, None):
            self._closing.discard(number)
            self._busy.discard(number)
            self._selector.unregister(far.line)
            far.line.close()

    def close_all(self) -> None:
        """Close all far ends."""
        for number in list(self._far):
            self.close(number)

    def _pass_on(self, number: int) -> None:
        try:
            data = self._far[number].line.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.close(number)
        self._send(number, data)
