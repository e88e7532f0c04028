"""join: a peer that was absent from the start comes."""

from __future__ import annotations

from prisam_p2p.emulate.faults.acts.act import Act
from prisam_p2p.emulate.faults.part import Part
from prisam_p2p.emulate.faults.plan_forms import AtRound


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
