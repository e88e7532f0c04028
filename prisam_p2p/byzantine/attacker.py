"""What every replaced part of a Byzantine peer knows: its spec, its attack, and the count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from prisam_p2p.control.spec import AttackSpec, PeerSpec


class Tally:
    """Counts attacks, in any thread, and reports the 1st, 2nd, 4th, 8th, ..

    Args:
        report: takes the number of attacks so far.
    """

    def __init__(self, report: Callable[[int], object]) -> None:
        self._report, self._count, self._lock = report, 0, threading.Lock()

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1
            count = self._count
        if count.bit_count() == 1:
            self._report(count)


@dataclass(frozen=True)
class Attacker:
    """A Byzantine peer, as its parts see it."""

    spec: PeerSpec
    attack: AttackSpec
    tally: Tally
