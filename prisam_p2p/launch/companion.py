"""A process that reads a run beside its launcher, and ends with it.

The launcher starts it and lets go of it at the end; it also ends when the launcher is killed. A run
without it is worth as much: what goes wrong with it is told, and the run goes on.
"""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from typing import IO, Any

from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import JsonLines

_STARTING_S = 30.0


class Companion:
    """The process.

    Args:
        module: what `python -m` runs; its first line on stdout is JSON, and it ends when its stdin
            does.
        arguments: of its command line.
        errors: an empty file, for what it writes to stderr.
        ending_s: it has so long to end, once it is let go of.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(
        self, module: str, arguments: list[str], errors: IO[bytes], ending_s: float
    ) -> None:
        self._line, theirs = socket.socketpair()
        self._errors, self._ending_s = errors, ending_s
        with theirs:
            self._process = subprocess.Popen(
                [*CHILD_PYTHON, "-m", module, *arguments],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env=child_environment(),
                start_new_session=True,  # a terminal's Ctrl-C is for the launcher
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_there(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def first_line(self) -> Any:
        """Wait for its first line; None: there is none, and `complaint` says why."""
        lines, deadline = JsonLines(self._line), time.monotonic() + _STARTING_S
        while lines.waiting(max(0.0, deadline - time.monotonic())):
            said = lines.receive()
            if said is None:
                break
            if said:  # else a part of the line
                return said[0]
        return None

    def complaint(self) -> str:
        """Return the last line that it wrote to stderr."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it did not begin within {_STARTING_S:g} s"

    def close(self) -> bool:
        """Let go of it, and wait until it has ended; return whether it ended well."""
        with suppress(OSError):  # it has ended already
            self._line.shutdown(socket.SHUT_RDWR)  # also where a forked process has this end
        self._line.close()
        try:
            return self._process.wait(self._ending_s) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
