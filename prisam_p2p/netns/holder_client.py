"""The launcher's end of the holder process: orders to it, and its answers with descriptors."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import JsonLines

_ANSWER_S = 60.0
"""The longest wait that nobody watches (`HolderClient.on_wait`)."""

_LOOK_EVERY_S = 0.2
_WHO = "the process that holds the network namespaces"


class HolderClient:
    """Starts the holder process, which ends with `close` or with this process.

    Attributes:
        is_awaited: whether an answer is waited for.
        on_wait: see interface.Network.
    """

    def __init__(self) -> None:
        self.is_awaited = self._was_given_up = False
        self.on_wait: Callable[[], object] | None = None
        self._line, theirs = socket.socketpair()
        self._answers = JsonLines(self._line)
        with theirs:
            self._process = subprocess.Popen(
                [*CHILD_PYTHON, "-m", f"{__package__}.holder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=child_environment(),
            )

    @property
    def pid(self) -> int:
        """Of the holder process."""
        return self._process.pid

    def ask(self, order: dict[str, Any], last: str) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """Send an order, and yield the answers up to the one that has the key `last`.

        Yields:
            An answer and the descriptors that came with it.

        Raises:
            NetworkError: the holder failed to obey, is gone, or did not answer in time.
        """
        if self._was_given_up:  # an answer to come would be that to an earlier order
            raise NetworkError(f"{_WHO} did not answer before")
        self._answers.send(order)
        while True:
            for answer in self._next_answers():
                if "failed" in answer:
                    raise NetworkError(f"network namespaces: {answer['failed']}")
                descriptors, self._answers.descriptors = self._answers.descriptors, []
                yield answer, descriptors
                if last in answer:
                    return

    def _next_answers(self) -> list[dict[str, Any]]:
        """Wait for answers; send what is left of the order meanwhile."""
        self.is_awaited, deadline = True, time.monotonic() + _ANSWER_S
        try:
            while not self._answers.waiting(_LOOK_EVERY_S):
                self._answers.flush()
                if self.on_wait:
                    self.on_wait()
                elif time.monotonic() > deadline:
                    raise NetworkError(f"{_WHO} did not answer within {_ANSWER_S:g} s")
        except BaseException:
            self._was_given_up = True
            raise
        finally:
            self.is_awaited = False
        answers = self._answers.receive()
        if answers is None:
            raise NetworkError(f"{_WHO} ended")
        return answers

    def close(self) -> None:
        """End the holder process and wait for its end."""
        with suppress(OSError):  # it has ended already
            self._line.shutdown(socket.SHUT_RDWR)  # also where a forked process has this end
        self._line.close()
        self._process.send_signal(signal.SIGCONT)  # it may be stopped
        try:
            self._process.wait(_ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
