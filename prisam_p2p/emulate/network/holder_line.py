"""The launcher's end of the holder: a process, orders, and answers that may bring descriptors."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prisam_p2p.emulate.lines import Lines, write_line
from prisam_p2p.emulate.network.interface import NetworkError

_ANSWER_S = 60.0


class HolderLine:
    """Starts the holder; it ends when this closes or its process ends, however."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self._answers = Lines(self._line)
        with theirs:
            self._holder = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.holder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def ask(self, order: dict[str, Any], last: str) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """Send an order; yield the answers up to that with the key `last`, and their descriptors.

        Raises:
            NetworkError: it could not obey, or is gone, or silent.
        """
        write_line(self._line, order)
        deadline = time.monotonic() + _ANSWER_S
        while self._answers.waiting(max(0.0, deadline - time.monotonic())):
            answers = self._answers.receive()
            if answers is None:
                raise NetworkError("the network's process ended")
            for answer in answers:
                if "failed" in answer:
                    raise NetworkError(f"the network: {answer['failed']}")
                descriptors, self._answers.descriptors = self._answers.descriptors, []
                yield answer, descriptors
                if last in answer:
                    return
        raise NetworkError(f"the network's process did not answer within {_ANSWER_S:g} s")

    def close(self) -> None:
        """End the holder, and wait until it is gone."""
        with suppress(OSError):  # it is gone already
            self._line.shutdown(socket.SHUT_RDWR)  # a forked process may hold this end too
        self._line.close()
        try:
            self._holder.wait(_ANSWER_S)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait()
