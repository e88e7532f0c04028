"""What waits to be sent to one host: messages, and files that are read as they are sent. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

Frames = Sequence[bytes]


class Outbox:
    """Keeps the order of messages, but for urgent ones, which go before all others."""

    def __init__(self) -> None:
        self._urgent: deque[Frames] = deque()
        self._waiting: deque[Iterator[Frames]] = deque()
        self._next: Frames | None = None

    def __len__(self) -> int:
        """Return how many messages, and files, are not sent yet."""
        return len(self._urgent) + len(self._waiting) + (self._next is not None)

    def add(self, messages: Iterator[Frames]) -> None:
        """Send these after those that wait; each is asked for when the one before was sent."""
        self._waiting.append(messages)

    def add_urgent(self, message: Frames) -> None:
        """Send this before those that wait."""
        self._urgent.append(message)

    def send(self, send: Callable[[Frames], bool]) -> None:
        """Send what the line takes now; `send` returns False when it takes no more."""
        while self._urgent:
            if not send(self._urgent[0]):
                return
            self._urgent.popleft()
        while (message := self._following()) is not None and send(message):
            self._next = None

    def clear(self) -> None:
        """Send nothing of what waits."""
        self._urgent.clear()
        self._waiting.clear()
        self._next = None

    def _following(self) -> Frames | None:
        while self._next is None and self._waiting:
            self._next = next(self._waiting[0], None)
            if self._next is None:
                self._waiting.popleft()
        return self._next
