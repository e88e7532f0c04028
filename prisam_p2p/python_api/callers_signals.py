"""The caller's Ctrl-C and SIGTERM while a run of its goes on: held until there is a safe place.

Raised at once, a KeyboardInterrupt could leave a child process that nobody knows of, or be lost.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from prisam_p2p.system.stop_requests import STOP_SIGNALS


class EndedBySignal(BaseException):
    """The caller is to die of a signal, as soon as the run is ended. Nobody sees this."""


class CallersSignals:
    """Notes signals; `act` lets the caller's handlers have them.

    Args:
        handlers: signal -> the caller's handler, or SIG_DFL, for those that are noted.
    """

    def __init__(self, handlers: Mapping[int, Any]) -> None:
        self._handlers, self._noted = handlers, deque[int]()

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take note of a signal."""
        self._noted.append(number)

    def act(self) -> None:
        """Call the caller's handler for each signal that came.

        Raises:
            EndedBySignal: the caller has none.
            BaseException: what its handler raises, such as KeyboardInterrupt.
        """
        while self._noted:
            number = self._noted[0]
            if not callable(self._handlers[number]):
                raise EndedBySignal
            self._noted.popleft()
            self._handlers[number](number, None)

    def came_again(self) -> Callable[[], bool]:
        """Return what tells whether a signal has come since now."""
        before = len(self._noted)
        return lambda: len(self._noted) > before

    def left(self) -> list[int]:
        """Return the signals, each once, that no handler has had."""
        return [*dict.fromkeys(self._noted)]


@contextmanager
def callers_signals() -> Iterator[CallersSignals]:
    """Note SIGINT and SIGTERM inside the block; at its end the caller gets what is left.

    What the caller ignores stays ignored. In a thread that is not the main one nothing is noted:
    Python runs handlers in the main thread only.
    """
    handlers = _handlers()
    signals = CallersSignals(handlers)
    try:
        for number in handlers:
            signal.signal(number, signals.note)
        yield signals
    except BaseException:
        _give_back(handlers)
        # An exception is on its way: another interrupt would replace it, and its note.
        for number in [each for each in signals.left() if not callable(handlers[each])]:
            signal.raise_signal(number)
        raise
    _give_back(handlers)
    for number in signals.left():
        signal.raise_signal(number)


def _handlers() -> dict[int, Any]:
    """Return what the caller does at each signal, without those that it ignores."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {int(number): signal.getsignal(number) for number in STOP_SIGNALS}
    return {n: each for n, each in found.items() if each not in (signal.SIG_IGN, None)}


def _give_back(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
