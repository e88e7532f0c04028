"""SIGTERM ends a peer in good order, whatever it waits for."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from queue import Empty

from prisam_p2p.control.line import ControlLine, Stopped
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.system.process_limits import MemoryMeter
from prisam_p2p.transport import events


class StopRequest:
    """Whether this process was told to stop.

    A signal handler may interrupt the very wait it wants to end: an Inbox is made for that,
    threading.Event is not.
    """

    def __init__(self) -> None:
        self._asked = False
        self._wake: Inbox[None] = Inbox()

    def ask(self) -> None:
        """End every `sleep`, now and later."""
        self._asked = True
        self._wake.put(None)

    def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped at once if this process is, or was, told to stop."""
        if seconds > 0 and not self._asked:
            with contextlib.suppress(Empty):
                self._wake.get(seconds)
        if self._asked:
            raise Stopped("told to stop")


def sleeper(stop: StopRequest, meter: MemoryMeter | None) -> Callable[[float], None]:
    """Return what is called after each training step: it sleeps, or raises Stopped.

    Args:
        meter: samples the memory at each call.
    """

    def sleep(seconds: float) -> None:
        if meter:
            meter.sample()
        stop.sleep(seconds)

    return sleep


def on_sigterm(stop: StopRequest, inbox: Inbox[events.Event], control: ControlLine) -> None:
    """Make SIGTERM end every wait, and ignore Ctrl-C: the launcher handles that."""

    def handle(_signal: int, _frame: object) -> None:
        stop.ask()
        inbox.put(events.StopAsked())
        control.interrupt()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
