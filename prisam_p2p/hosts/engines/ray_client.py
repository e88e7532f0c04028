"""The launcher's end of the helper process that speaks with Ray (ray_driver.py)."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from typing import IO, Any

from prisam_p2p.errors import LaunchError
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import JsonLines

WHO = "the helper process of Ray"

_END_S = 8.0
_LAST_BYTES = 4000
_LAST_LINES = 8


class RayClient:
    """Starts the helper process, which ends with `close` or with this process.

    Attributes:
        has_ended: the helper process is gone, and with it all that Ray did for it.
    """

    def __init__(self) -> None:
        self.has_ended = False
        self._told: list[dict[str, Any]] = []
        self._output = _unnamed_file()
        self._line, theirs = socket.socketpair()
        self._lines = JsonLines(self._line)
        with theirs:
            self._process = subprocess.Popen(
                [*CHILD_PYTHON, "-m", f"{__package__}.ray_driver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env=child_environment(),
            )

    def ask(self, order: dict[str, Any], key: str, timeout_s: float) -> dict[str, Any]:
        """Send an order and return its answer, which has this key.

        Raises:
            LaunchError: Ray refused, the process ended, or it did not answer in time.
        """
        self._lines.send(order)
        deadline_s = time.monotonic() + timeout_s
        while True:
            for each in self._told:
                if "failed" in each:
                    self._told.remove(each)
                    raise LaunchError("Ray", each["failed"])
                if key in each:
                    self._told.remove(each)
                    return each
            left_s = deadline_s - time.monotonic()
            if self.has_ended:
                raise LaunchError("Ray", f"{WHO} ended", self.last_lines())
            if left_s <= 0:
                reason = f"{WHO} did not answer within {timeout_s:g} s"
                raise LaunchError("Ray", reason, self.last_lines())
            self._hear(left_s)

    def events(self) -> list[dict[str, Any]]:
        """Return what the process has told since the last call; never waits."""
        self._hear(0.0)
        told, self._told = self._told, []
        return told

    def _hear(self, timeout_s: float) -> None:
        """Wait for lines, and take those that are there."""
        if self.has_ended or not self._lines.waiting(timeout_s):
            return
        lines = self._lines.receive()
        if lines is None:
            self.has_ended = True
        self._told += lines or ()

    def last_lines(self) -> list[str]:
        """Return the last lines that the process has printed."""
        size = self._output.seek(0, os.SEEK_END)  # the position is the process's, too
        text = os.pread(self._output.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        return text.decode(errors="replace").splitlines()[-_LAST_LINES:]

    def close(self) -> None:
        """Have the agents ended and the hosts freed, and wait for the end of the process."""
        if not self.has_ended:
            self._lines.send({"end": True})
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # Ray then ends the actors, which end the agents
            self._process.wait()
        self._line.close()
        self._output.close()


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="prisam-ray-")
