"""Lines over a stream socket, read as they come: as bytes, or as JSON objects."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

_READ_BYTES = 1 << 16
_MOST_DESCRIPTORS = 4


class LineSocket:
    """The lines that the other end of `line` writes; file descriptors may come with them.

    Sending never waits: the other end may be a stopped process, which reads nothing.
    """

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.descriptors: list[int] = []
        self._rest, self._unsent = b"", bytearray()

    @property
    def has_unsent(self) -> bool:
        """Whether the other end has not taken all that was sent."""
        return bool(self._unsent)

    def receive_lines(self) -> list[bytes] | None:
        """Wait for bytes and return the whole lines among them, None at the end of the file."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.line, _READ_BYTES, _MOST_DESCRIPTORS)
        except ConnectionResetError:
            return None
        self.descriptors += descriptors
        if not data:
            return None
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    def send_line(self, line: bytes) -> None:
        """Send a line (with its newline) now, or when `flush` finds that the other end takes it."""
        self._unsent += line
        self.flush()

    def send_line_with(self, line: bytes, descriptors: Sequence[int]) -> bool:
        """Send a line and descriptors; return False, and send nothing, while the other end is full.

        For a socket that does not block.
        """
        self.flush()
        if self._unsent:
            return False
        try:
            sent = socket.send_fds(self.line, [line], descriptors)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True
        self.send_line(line[sent:])
        return True

    def flush(self) -> None:
        """Send what the other end takes now; what is sent to a closed end is lost."""
        try:
            while self._unsent:
                del self._unsent[: self.line.send(self._unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not taken yet."""
        return len(self._unsent)

    def waiting(self, timeout_s: float = 0.0) -> bool:
        """Tell whether `receive_lines` would return at once, after waiting up to `timeout_s`.

        The wait is shorter where `flush` can send more.
        """
        unsent = selectors.EVENT_WRITE if self._unsent else 0
        with selectors.DefaultSelector() as selector:
            selector.register(self.line, selectors.EVENT_READ | unsent)
            return any(events & selectors.EVENT_READ for _, events in selector.select(timeout_s))


class JsonLines(LineSocket):
    """Lines that are JSON objects, of a writer that is trusted: another process of ours."""

    def receive(self) -> list[dict[str, Any]] | None:
        """Wait for bytes and return the whole lines among them, None at the end of the file."""
        lines = self.receive_lines()
        return None if lines is None else [json.loads(line) for line in lines]

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, as `send_line` does."""
        self.send_line(_encoded(message))

    def send_with(self, message: dict[str, Any], descriptors: Sequence[int]) -> bool:
        """Send a message and descriptors, as `send_line_with` does."""
        return self.send_line_with(_encoded(message), descriptors)


def write_line(
    line: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()
) -> None:
    """Send a JSON line, waiting until it is sent; what is sent to a closed end is lost."""
    data = memoryview(_encoded(message))
    with suppress(BrokenPipeError, ConnectionResetError):  # its exit tells the reader why
        sent = socket.send_fds(line, [data], descriptors) if descriptors else 0
        line.sendall(data[sent:])


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
