"""The launcher's end of the holder: a process, orders, and answers that may bring descriptors."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.system.json_lines import JsonLines, write_line

_ANSWER_S = 60.0


class HolderLine:
    """Starts the holder; it ends when this closes or its process ends, however."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self._answers = JsonLines(self._line)
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


class Held:
    """Packets by number, oldest first; none overtakes another.

    Attributes:
        delay_s, jitter_s: of packets that are added from now on.
    """

    def __init__(self, seed: int) -> None:
        self.delay_s = self.jitter_s = 0.0
        self._packets: deque[tuple[float, int]] = deque()
        self._last_s = 0.0
        self._random = random.Random(seed)

    @property
    def next_s(self) -> float | None:
        """When the oldest is due, None without one."""
        return self._packets[0][0] if self._packets else None

    def add(self, now_s: float, packet: int) -> None:
        """Take a packet that came now; it leaves no earlier than those before it."""
        varied_s = self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
        self._last_s = max(self._last_s, now_s + max(0.0, varied_s))
        self._packets.append((self._last_s, packet))

    def release(self, until_s: float) -> int | None:
        """Forget what is due by then; return the number of the last of it, None if nothing is."""
        last = None
        while self._packets and self._packets[0][0] <= until_s:
            _, last = self._packets.popleft()
        if not self._packets:
            self._last_s = 0.0
        return last
