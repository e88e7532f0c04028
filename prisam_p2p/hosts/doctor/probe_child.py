"""The agent's end of the process that examines its host: it passes bytes through."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress

from prisam_p2p.shipped import CHILD_PYTHON, child_environment

_READ_BYTES = 1 << 16
_END_S = 3.0


class ProbeChild:
    """Starts the process (probe_process.py), which ends with `close` or with this one."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*CHILD_PYTHON, "-m", f"{__package__}.probe_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=child_environment(),
            )

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when it has answered, or ended."""
        return self._line.fileno()

    def send(self, data: bytes) -> None:
        """Pass orders on: a few hundred bytes, which its buffer always takes."""
        with suppress(BrokenPipeError, ConnectionResetError):  # `receive` tells its end
            self._line.sendall(data)

    def receive(self) -> bytes:
        """Return what it has answered, b"" at its end; waits if there is nothing."""
        try:
            return self._line.recv(_READ_BYTES)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        """End the process."""
        self._line.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
