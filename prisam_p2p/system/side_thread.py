"""A thread beside the main one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


class SideThread(threading.Thread):
    """A daemon thread that leaves SIGABRT to the main thread, as do those that it starts.

    Upon SIGABRT faulthandler reads the frames of all threads from within the one that took it. Were
    that another one, the main thread could go on meanwhile, and the reader crash (SIGSEGV): a
    process that was stopped runs on as it is aborted. In the main thread's hands the GIL, if it
    has it, keeps the others still.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)

    def run(self) -> None:
        """See threading.Thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT})
        super().run()
