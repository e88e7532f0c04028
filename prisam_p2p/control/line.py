"""The peer's end of its control line: an inherited socket pair to the launcher.

Orders and reports (messages.py) go over it, and nothing that peers say to each other.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from queue import Empty
from typing import Any, TypeVar

from prisam_p2p.control.codec import decode_order, encode, name_of
from prisam_p2p.control.messages import Order, Report
from prisam_p2p.errors import ControlError, PrisamError
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.system.side_thread import SideThread

AnyOrder = TypeVar("AnyOrder", bound=Order)


class LauncherGone(PrisamError):
    """The launcher does not answer any more."""


class Stopped(PrisamError):
    """The process was told to stop; not an error of its own."""


class ControlLine:
    """Reads orders in a thread of its own; when the launcher dies, so does this process.

    (On Linux the kernel kills the process as well, with PR_SET_PDEATHSIG.)

    Args:
        line: the end that the process inherited.
        on_order: called in that thread when an order waits for `expect`.
    """

    def __init__(self, line: socket.socket, on_order: Callable[[], None]) -> None:
        self._line, self._on_order = line, on_order
        self._orders: Inbox[Order | None] = Inbox()  # None = stop
        self._handlers: dict[type, Callable[[Any], None]] = {}
        self._sending = threading.Lock()
        SideThread(self._read, "control").start()

    def send(self, report: Report) -> None:
        """Report to the launcher. Any thread may."""
        with self._sending:
            self._line.sendall(encode(report))

    def handle(self, kind: type[AnyOrder], handler: Callable[[AnyOrder], None]) -> None:
        """Call `handler` for every order of a kind when it comes, in the thread that reads.

        `expect` never sees such an order: it is obeyed whatever the peer is doing.
        """
        self._handlers[kind] = handler

    def expect(self, *kinds: type[AnyOrder], timeout_s: float) -> AnyOrder:
        """Return the next order, which must be of one of `kinds`.

        Raises:
            LauncherGone: none came in time, or another did.
            Stopped: `interrupt` was called.
        """
        due = " or ".join(repr(name_of(kind)) for kind in kinds)
        try:
            order = self._orders.get(timeout_s)
        except Empty:
            raise LauncherGone(f"no order {due} within {timeout_s:g} s") from None
        if order is None:
            raise Stopped("told to stop")
        if not isinstance(order, kinds):
            raise LauncherGone(f"order {name_of(type(order))!r} where {due} was due")
        return order

    def has_order(self) -> bool:
        """Tell whether an order waits for `expect`."""
        return len(self._orders) > 0

    def interrupt(self) -> None:
        """Make `expect` raise Stopped. Safe in a signal handler."""
        self._orders.put(None)

    def _read(self) -> None:
        try:
            with self._line.makefile("rb") as lines:
                for line in lines:
                    self._take_in(decode_order(line))
        except ControlError as error:
            print(f"the launcher sent a wrong line: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(1)  # end of file, a reset, or a launcher that is not ours: nothing to run for

    def _take_in(self, order: Order) -> None:
        if handler := self._handlers.get(type(order)):
            handler(order)
        else:
            self._orders.put(order)
            self._on_order()
