"""Ctrl-C (SIGINT) and SIGTERM of a `prisam` process, from its first line to its last.

A KeyboardInterrupt that is raised while C calls Python (a weak reference's callback, `__del__`, a
library's callback) is printed and lost. So a signal is always noted, too, and one of three things
comes of it: `end_when_asked` ends the process at once, `raising_when_asked` raises
KeyboardInterrupt, `stop_requests` leaves it to a loop that asks for it.

A process that inherits an ignored SIGINT, as a shell's background job does, takes it all the same.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_raised: list[int] = []
"""Signals that were raised. The process goes on after one only if the exception was lost."""

Handler = Callable[[int, FrameType | None], object]


class StopRequests:
    """Notes each signal; calling it tells whether one came.

    Args:
        n_before: how many came before.
    """

    def __init__(self, n_before: int = 0) -> None:
        self._n, self._n_told = n_before, 0

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Take note of a signal."""
        self._n += 1

    def __call__(self) -> bool:
        """Tell whether a stop was asked for."""
        self._n_told = self._n
        return self._n > 0

    def at_once(self) -> bool:
        """Tell whether it was asked for again: what is being ended in order is to be killed."""
        return self._n > 1

    @property
    def unheard(self) -> bool:
        """Whether one came, and nobody was told."""
        return self._n > 0 and not self._n_told


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Note SIGINT and SIGTERM inside the block; a signal whose exception was lost counts, too.

    Raises:
        KeyboardInterrupt: at the end of the block; one came so late that nobody asked for it.
    """
    requests = StopRequests(len(_raised))
    with _handled_by(requests.note):
        yield requests
    if requests.unheard:
        raise KeyboardInterrupt


@contextmanager
def raising_when_asked() -> Iterator[None]:
    """Raise KeyboardInterrupt at SIGINT and SIGTERM inside the block, or at its end if it was lost.

    In a thread that is not the main one, nothing is changed: Python lets no other handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with _handled_by(_raise):
            yield
        if _raised:
            raise KeyboardInterrupt
    finally:
        _raised.clear()


def end_when_asked() -> None:
    """End this process at SIGINT and SIGTERM from now on, with EXIT_INTERRUPTED and no traceback.

    To be called while there is nothing to clean up: first of all, before the slow imports. A signal
    that its parent has held back (`held_back`) takes effect now.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back in this thread, and in what it starts until that lets them in.

    A child that is interrupted before its first line then does not miss it, even where it inherits
    that SIGINT is ignored.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)


def _raise(number: int, _frame: FrameType | None) -> None:
    _raised.append(number)
    raise KeyboardInterrupt


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        for number in STOP_SIGNALS:
            signal.signal(number, handler)
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)
