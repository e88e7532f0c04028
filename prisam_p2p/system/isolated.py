"""Call a function in a forked process, so that it may enter namespaces, hang or die."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from prisam_p2p.system.process_limits import die_with_parent


class Failed(Exception):
    """The function raised, died or did not return in time; the text says which."""


class Isolated:
    """A call of `function` in a child, which starts now.

    The caller should have one thread, because this forks.

    Args:
        function: returns a JSON value.
        deadline_s: seconds from now until `result` gives up and kills the child.
    """

    def __init__(self, function: Callable[[], Any], deadline_s: float) -> None:
        self._until_s = time.monotonic() + deadline_s
        self._deadline_s = deadline_s
        self._read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._read)
            _call(function, write)
        os.close(write)

    def result(self) -> Any:
        """Wait for the function and return its result; call this once.

        Raises:
            Failed: the function raised, died or did not return in time.
        """
        poll, data = select.poll(), b""
        poll.register(self._read, select.POLLIN)
        try:
            while poll.poll(max(0.0, self._until_s - time.monotonic()) * 1000):
                part = os.read(self._read, 1 << 16)
                if not part:
                    break
                data += part
            else:
                raise Failed(f"no answer within {self._deadline_s:g} s")
        finally:
            os.close(self._read)
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        answer = json.loads(data or '{"failed": "the child process died"}')
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["result"]


def isolated(function: Callable[[], Any], deadline_s: float) -> Any:
    """Call `function` in a child and return its result, a JSON value.

    Raises:
        Failed: the function raised, died or did not return in time.
    """
    return Isolated(function, deadline_s).result()


def error_text(error: BaseException) -> str:
    """Return the message of an error, without the number in OSError and pyroute2's errors."""
    return str(error.args[1] if len(error.args) == 2 else error) or type(error).__name__


def _call(function: Callable[[], Any], write: int) -> None:
    try:
        die_with_parent()
        answer = {"result": function()}
    except BaseException as error:
        answer = {"failed": error_text(error)}
    with suppress(OSError):
        os.write(write, json.dumps(answer).encode())
    os._exit(0)
