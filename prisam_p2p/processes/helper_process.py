"""Watches the processes that a run needs besides its peers: the zygote, and those of the network.

One that stands still is named, and killed in the end: the run then fails.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from prisam_p2p.errors import LaunchError
from prisam_p2p.netns.interface import Helper, Network
from prisam_p2p.processes.engine import Trouble
from prisam_p2p.processes.watchdog import NOTICE_S
from prisam_p2p.processes.watched_time import Silence
from prisam_p2p.system.process_state import process_state

_LOOK_EVERY_S = 0.5

GONE = "it ended before the run did"


class HelperProcess:
    """A process that the launcher asks for something, and how long it has been silent.

    Args:
        ends_with_it: what cannot go on without it, in words.
        stall_timeout_s: it is killed after it has owed an answer for this long.
    """

    def __init__(self, name: str, pid: int, ends_with_it: str, stall_timeout_s: float) -> None:
        self._name, self._pid, self._ends_with_it = name, pid, ends_with_it
        self._stall_timeout_s, self._silence = stall_timeout_s, Silence()

    def look(self, now_s: float, owes: bool, state: str) -> None:
        """Take note of what it does now; kill it if it has stood still for too long.

        Args:
            owes: whether it has something to do for the launcher.
            state: the letter of its state (system/process_state.py), "" = unknown.

        Raises:
            LaunchError: it was killed.
        """
        if self._silence.look(now_s, owes, state) < self._stall_timeout_s:
            return
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        what = f"{self._silence.reason} for {self._silence.since_s:.0f} s"
        ended = f"ended, and with it {self._ends_with_it} (--stall-timeout-s)"
        raise LaunchError(self._name, f"{what}: {ended}")

    def trouble(self) -> Trouble | None:
        """Return that it stands still, and for how long; None if it does not."""
        silence = self._silence
        if silence.since_s < min(NOTICE_S, self._stall_timeout_s):
            return None
        return Trouble(self._name, silence.reason, silence.since_s)


class NetworkWatch:
    """Watches the processes of a network (interface.Network.helpers)."""

    def __init__(self, network: Network, stall_timeout_s: float) -> None:
        self._network, self._stall_timeout_s = network, stall_timeout_s
        self._watched: dict[int, HelperProcess] = {}
        self._looked_s = float("-inf")

    def look(self) -> Trouble | None:
        """Return what stands still; of several, the one that the others wait for.

        Raises:
            LaunchError: one has ended, or was killed because it stood still for too long.
        """
        now_s, helpers = time.monotonic(), self._network.helpers()
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._judge(helpers, now_s)
        watched = [self._watched[each.pid] for each in helpers if each.pid in self._watched]
        return next((trouble for each in watched if (trouble := each.trouble())), None)

    def _judge(self, helpers: Sequence[Helper], now_s: float) -> None:
        """Look at all, and kill one that has stood still for too long."""
        states = [process_state(each.pid) for each in helpers]
        letters = [state.letter if state else "X" for state in states]
        gone = [each for each, letter in zip(helpers, letters, strict=True) if letter in "ZX"]
        if gone:
            raise LaunchError(gone[-1].name, GONE)  # those before it end with it
        for each, letter in zip(helpers, letters, strict=True):
            owes = each.is_awaited or (each.carries_packets and letter in "Tt")
            watched = self._watched.setdefault(each.pid, self._helper(each.name, each.pid))
            watched.look(now_s, owes, letter)
            if watched.trouble():
                return  # those that follow may wait for it

    def _helper(self, name: str, pid: int) -> HelperProcess:
        return HelperProcess(name, pid, "the network between the peers", self._stall_timeout_s)
