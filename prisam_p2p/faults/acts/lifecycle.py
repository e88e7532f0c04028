"""kill, term, leave, restart, pause, join: a process ends, is suspended, or starts."""

from __future__ import annotations

import signal
from typing import Any, ClassVar

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, Occurrence
from prisam_p2p.faults.firing import Firing


class _EndProcess(Act):
    """Ends the process by a signal; healed, the peer's next process starts."""

    SIGNAL: ClassVar[signal.Signals]

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._peers.signal(firing.peer, self.SIGNAL)
        return True

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act."""
        return f"the process ended with {code}"

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if firing.back_s is None and self._peers.is_down(firing.peer):
            firing.back_s = now_s
            source: Any = firing.occurrence.parameters.get("from", "state")
            self._peers.start_again(firing.peer, source, _first_round(firing.occurrence))
        return False

    def is_back(self, firing: Firing) -> bool:
        """See Act."""
        return firing.back_s is not None

    def explains_end(self, firing: Firing) -> bool:
        """See Act."""
        return firing.back_s is None  # otherwise the next process died by itself


class Kill(_EndProcess):
    """SIGKILL."""

    SIGNAL = signal.SIGKILL


class Terminate(_EndProcess):
    """SIGTERM: the peer says goodbye to its neighbors and exits."""

    SIGNAL = signal.SIGTERM


class Suspend(Act):
    """SIGSTOP and, to heal it, SIGCONT."""

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._peers.signal(firing.peer, signal.SIGSTOP)
        return True

    def observe(self, firing: Firing, now_s: float) -> str | None:
        """See Act."""
        return "the process is stopped" if self._peers.is_stopped(firing.peer) else None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        self._peers.signal(firing.peer, signal.SIGCONT)
        return True


class Join(Act):
    """Starts the first process of an absent peer, from W0; its neighbors then learn its address."""

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        trigger = firing.occurrence.trigger
        first_round = trigger.round if isinstance(trigger, AtRound) else 0
        self._peers.start_again(firing.peer, "fresh", first_round)
        return True

    def on_ready(self, firing: Firing) -> str | None:
        """See Act."""
        return "it is there, and connected"

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act. A peer that joined stays."""
        return False


def _first_round(occurrence: Occurrence) -> int:
    """Return the earliest round in which a restarted peer may begin."""
    if isinstance(occurrence.heal, HealAtRound):
        return occurrence.heal.round
    return occurrence.trigger.round if isinstance(occurrence.trigger, AtRound) else 0
