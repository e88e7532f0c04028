"""kill, term, leave, restart: the process ends; healed, a new one starts in its place."""

from __future__ import annotations

import signal

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, Occurrence
from prisam_p2p.faults.firing import Part

_HARD = frozenset({"kill", "restart"})


class Ending(Act):
    """SIGKILL, or SIGTERM for who is to take its leave."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False  # it cannot be taken down twice; the journal has no line of it
        number = signal.SIGKILL if part.kind in _HARD else signal.SIGTERM
        self._hands.signal(part.peer, number)
        return True

    def ended(self, part: Part, code: int) -> str | None:
        """See Act."""
        return f"the process ended with {code}"

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if part.back_s is None and self._hands.is_down(part.peer):
            part.back_s = now_s
            source = str(part.occurrence.parameters.get("from", "state"))
            self._hands.start_again(part.peer, source, _round_of(part.occurrence))
        return False

    def is_back(self, part: Part) -> bool:
        """See Act."""
        return part.back_s is not None

    def explains_end(self, part: Part) -> bool:
        """See Act."""
        return part.back_s is None  # else its next process died by itself


def _round_of(occurrence: Occurrence) -> int:
    """Return the round that a restarted peer begins with at the earliest."""
    if isinstance(occurrence.heal, HealAtRound):
        return occurrence.heal.round
    return occurrence.trigger.round if isinstance(occurrence.trigger, AtRound) else 0
