"""lying-mask, nan, scaled, ..: a rude peer takes the peer's place; healed, an honest one does."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from prisam_p2p.control.messages import AttackActed, Report
from prisam_p2p.control.spec import AttackSpec
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, Occurrence
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.kinds import REPLACING
from prisam_p2p.faults.link_faults import LinkFaults


class Rude(Act):
    """SIGKILL and another process, which goes on from the peer's state; the rude one confesses."""

    def __init__(self, hands: Hands, links: LinkFaults | None) -> None:
        super().__init__(hands, links)
        self._next: dict[Part, tuple[AttackSpec | None, int]] = {}

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act. A peer that is to be rude from the start is."""
        if is_from_the_start(part.occurrence):
            return True
        trigger = part.occurrence.trigger
        first_round = trigger.round if isinstance(trigger, AtRound) else 0
        return self._replace(part, attack_spec(part.occurrence), first_round)

    def ended(self, part: Part, code: int) -> str | None:
        """See Act. Whatever else ended the process, nobody takes its place."""
        if part in self._next:
            attack, first_round = self._next.pop(part)
            self._hands.set_attack(part.peer, attack)
            self._hands.start_again(part.peer, "state", first_round)
        return None

    def told(self, part: Part, report: Report) -> str | None:
        """See Act."""
        match report:
            case AttackActed(fault, acted) if fault == part.occurrence.id:
                return f"it confesses that it lied ({acted})"
        return None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        heal = part.occurrence.heal
        first_round = heal.round if isinstance(heal, HealAtRound) else 0
        if part.back_s is not None:
            return False
        if not self._replace(part, None, first_round):
            self._hands.set_attack(part.peer, None)  # another fault may bring it back
            return True
        part.back_s = now_s
        return False

    def is_back(self, part: Part) -> bool:
        """See Act."""
        return part.back_s is not None

    def _replace(self, part: Part, attack: AttackSpec | None, first_round: int) -> bool:
        if self._hands.is_down(part.peer):
            return False
        self._next[part] = (attack, first_round)
        self._hands.signal(part.peer, signal.SIGKILL)
        return True


def is_from_the_start(occurrence: Occurrence) -> bool:
    """Tell whether a peer's first process is a rude one already."""
    start = AtRound(round=0, phase="train")
    return occurrence.kind in REPLACING and occurrence.trigger == start


def attack_spec(occurrence: Occurrence) -> AttackSpec:
    """Return what the rude peers of an occurrence do."""
    factor = occurrence.parameters.get("factor", 1.0)
    assert isinstance(factor, int | float), "checked when the plan was read"
    return AttackSpec(fault=occurrence.id, kind=occurrence.kind, factor=float(factor))


def attacks_from_the_start(occurrences: Sequence[Occurrence]) -> dict[str, AttackSpec]:
    """Return the peers whose first process is a rude one; of two lies, the one that comes later."""
    return {
        peer: attack_spec(each)
        for each in occurrences
        if is_from_the_start(each)
        for peer in each.peers
    }
