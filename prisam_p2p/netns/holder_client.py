"""The launcher's end of the holder process: orders to it, and its answers with descriptors."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.system.json_lines import JsonLines, write_line

_ANSWER_S = 60.0


class HolderClient:
    """Starts the holder process, which ends with `close` or with this process."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self._answers = JsonLines(self._line)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.holder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def ask(self, order: dict[str, Any], last: str) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """Send an order, and yield the answers up to the one that has the key `last`.

        Yields:
            An answer and the descriptors that came with it.

        Raises:
            NetworkError: the holder failed to obey, is gone, or did not answer in time.
        """
        write_line(self._line, order)
        deadline = time.monotonic() + _ANSWER_S
        while self._answers.waiting(max(0.0, deadline - time.monotonic())):
            answers = self._answers.receive()
            if answers is None:
                raise NetworkError("the process that holds the network namespaces ended")
            for answer in answers:
                if "failed" in answer:
                    raise NetworkError(f"network namespaces: {answer['failed']}")
                descriptors, self._answers.descriptors = self._answers.descriptors, []
                yield answer, descriptors
                if last in answer:
                    return
        raise NetworkError(
            f"the process that holds the network namespaces did not answer within {_ANSWER_S:g} s"
        )

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
