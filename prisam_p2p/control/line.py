"""The peer's line to its launcher: JSON lines over an inherited socket pair.

It carries addresses, starts and reports; nothing that peers say to each other.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from queue import Empty
from typing import Any

from prisam_p2p.errors import PrisamError
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.system.side_thread import SideThread


class LauncherGone(PrisamError):
    """The launcher does not answer any more."""


class Stopped(PrisamError):
    """The process was told to stop; not an error of its own."""


class Control:
    """Reads orders in a thread of its own; when the launcher dies, so does this process.

    (On Linux the kernel kills the process as well, with PR_SET_PDEATHSIG.)

    Args:
        on_order: called in that thread when an order has come.
    """

    def __init__(self, line: socket.socket, on_order: Callable[[], None]) -> None:
        self._line, self._on_order = line, on_order
        self._orders: Inbox[dict[str, Any]] = Inbox()
        self._at_once: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._sending = threading.Lock()
        SideThread(self._read, "control").start()

    def send(self, report: dict[str, Any]) -> None:
        """Report to the launcher."""
        with self._sending:
            self._line.sendall(json.dumps(report, separators=(",", ":")).encode() + b"\n")

    def at_once(self, order: str, obey: Callable[[dict[str, Any]], None]) -> None:
        """Have such orders obeyed when they come, in the thread that reads them."""
        self._at_once[order] = obey

    def expect(self, *orders: str, timeout_s: float) -> dict[str, Any]:
        """Return the next order, which must be one of `orders`.

        Raises:
            LauncherGone: none came in time, or another did.
            Stopped: `interrupt` was called.
        """
        due = " or ".join(map(repr, orders))
        try:
            got = self._orders.get(timeout_s)
        except Empty:
            raise LauncherGone(f"no order {due} within {timeout_s:g} s") from None
        if got["order"] == "stop":
            raise Stopped("told to stop")
        if got["order"] not in orders:
            raise LauncherGone(f"order {got['order']!r} where {due} was due")
        return got

    def has_order(self) -> bool:
        """Tell whether an order waits."""
        return len(self._orders) > 0

    def interrupt(self) -> None:
        """Make `expect` raise Stopped. Safe in a signal handler."""
        self._orders.put({"order": "stop"})

    def _read(self) -> None:
        try:
            with self._line.makefile("rb") as lines:
                for line in lines:
                    order = json.loads(line)
                    if obey := self._at_once.get(order["order"]):
                        obey(order)
                    else:
                        self._orders.put(order)
                        self._on_order()
        finally:
            os._exit(1)  # end of file, or a reset: nobody is left to run for
