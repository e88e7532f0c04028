"""Daemon threads that leave SIGABRT to the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


class SideThread(threading.Thread):
    """A daemon thread that blocks SIGABRT; threads that it starts inherit this.

    On SIGABRT, faulthandler reads the frames of all threads in the thread that takes the signal. If
    that is not the main thread, the main thread may continue meanwhile and faulthandler may crash
    (SIGSEGV). If the main thread takes it while holding the GIL, no other thread runs Python code.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)

    def run(self) -> None:
        """See threading.Thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT})
        super().run()
