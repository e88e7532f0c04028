"""pause: the process is stopped; healed, it goes on."""

from __future__ import annotations

import signal

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import AtRound
from prisam_p2p.faults.firing import Part


class Pausing(Act):
    """SIGSTOP and SIGCONT."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        self._hands.signal(part.peer, signal.SIGSTOP)
        return True

    def look(self, part: Part, now_s: float) -> str | None:
        """See Act."""
        return "the process is stopped" if self._hands.is_stopped(part.peer) else None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        self._hands.signal(part.peer, signal.SIGCONT)
        return True


class Joining(Act):
    """A first process, from W0; its neighbors learn where it is once it is up."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        trigger = part.occurrence.trigger
        first_round = trigger.round if isinstance(trigger, AtRound) else 0
        self._hands.start_again(part.peer, "fresh", first_round)
        return True

    def ready(self, part: Part) -> str | None:
        """See Act."""
        return "it is there, and connected"

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act. Who joined stays."""
        return False
