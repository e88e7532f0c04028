"""JSON lines over a stream socket, read as they come."""

from __future__ import annotations

import json
import selectors
import socket
from contextlib import suppress
from typing import Any

_AT_ONCE = 1 << 16


class Lines:
    """The lines that the other end of `line` writes; descriptors may come with them.

    `send` answers without waiting: the other end may be stopped, and then reads nothing.
    """

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.descriptors: list[int] = []
        self._rest, self._unsent = b"", bytearray()

    def receive(self) -> list[dict[str, Any]] | None:
        """Wait for bytes and return the whole lines among them, None at the end of the file."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.line, _AT_ONCE, 4)
        except ConnectionResetError:
            return None
        self.descriptors += descriptors
        if not data:
            return None
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(text) for text in whole]

    def send(self, message: dict[str, Any]) -> None:
        """Send a message now, or when `flush` finds that the other end takes it."""
        self._unsent += _encoded(message)
        self.flush()

    def flush(self) -> None:
        """Send what the other end takes now; to one that is gone it is lost."""
        try:
            while self._unsent:
                del self._unsent[: self.line.send(self._unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()

    def waiting(self, timeout_s: float = 0.0) -> bool:
        """Tell whether `receive` would return at once, after waiting at most so long for that."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.line, selectors.EVENT_READ)
            return bool(selector.select(timeout_s))


def write_line(
    line: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()
) -> None:
    """Send a message; one whose other end is gone is lost, its exit tells the reader why."""
    data = memoryview(_encoded(message))
    with suppress(BrokenPipeError, ConnectionResetError):
        sent = socket.send_fds(line, [data], descriptors) if descriptors else 0
        line.sendall(data[sent:])


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
