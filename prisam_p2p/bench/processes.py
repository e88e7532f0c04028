"""Child processes of a benchmark: each reports a line when it is ready, and ends with its input."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prisam_p2p.errors import LaunchError
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

START_TIMEOUT_S = 120.0
_END_TIMEOUT_S = 10.0


class Child:
    """A process that speaks JSON lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def tell(self, **message: object) -> None:
        """Send a message."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self, timeout_s: float = START_TIMEOUT_S) -> dict[str, Any]:
        """Return its next message.

        Raises:
            LaunchError: no message came in time, or the process ended.
        """
        assert self._process.stdout
        name = self._process.args[-1] if isinstance(self._process.args, list) else "child"
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            raise LaunchError(str(name), f"not heard of within {timeout_s:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise LaunchError(str(name), f"ended with {self._process.wait()}")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """Run `python -m module arguments`; it has ended when the context is left."""
    command = [*CHILD_PYTHON, "-m", module, *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    try:
        yield Child(process)
        assert process.stdin
        process.stdin.close()
        process.wait(_END_TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
