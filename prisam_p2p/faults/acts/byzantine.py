"""Attacks: a Byzantine process takes the place of the peer's, until an honest one does."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from prisam_p2p.control.messages import AttackActed, Report
from prisam_p2p.control.spec import AttackSpec
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, Occurrence
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl


class ReplacePeer(Act):
    """Kills the process and starts the other one, which goes on from the peer's state.

    The Byzantine process reports its attacks: the evidence.
    """

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._next: dict[Firing, tuple[AttackSpec | None, int]] = {}

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act. A peer that is Byzantine from the start already has its process."""
        if is_from_the_start(firing.occurrence):
            return True
        trigger = firing.occurrence.trigger
        first_round = trigger.round if isinstance(trigger, AtRound) else 0
        return self._replace(firing, attack_spec(firing.occurrence), first_round)

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act. A process that ends for another reason is not replaced."""
        if firing in self._next:
            attack, first_round = self._next.pop(firing)
            self._peers.set_attack(firing.peer, attack)
            self._peers.start_again(firing.peer, "state", first_round)
        return None

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case AttackActed(fault, acted) if fault == firing.occurrence.id:
                return f"attacks reported: {acted}"
        return None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        heal = firing.occurrence.heal
        first_round = heal.round if isinstance(heal, HealAtRound) else 0
        if firing.back_s is not None:
            return False
        if not self._replace(firing, None, first_round):
            self._peers.set_attack(firing.peer, None)  # another fault may start it again
            return True
        firing.back_s = now_s
        return False

    def is_back(self, firing: Firing) -> bool:
        """See Act."""
        return firing.back_s is not None

    def _replace(self, firing: Firing, attack: AttackSpec | None, first_round: int) -> bool:
        if self._peers.is_down(firing.peer):
            return False
        self._next[firing] = (attack, first_round)
        self._peers.signal(firing.peer, signal.SIGKILL)
        return True


def is_from_the_start(occurrence: Occurrence) -> bool:
    """Tell whether the first process of its peers is Byzantine already."""
    start = AtRound(round=0, phase="train")
    return occurrence.traits.is_attack and occurrence.trigger == start


def attack_spec(occurrence: Occurrence) -> AttackSpec:
    """Return the attack of an occurrence, as a peer's spec has it."""
    factor = occurrence.parameters.get("factor", 1.0)
    assert isinstance(factor, int | float), "checked when the plan was read"
    return AttackSpec(fault=occurrence.id, kind=occurrence.kind, factor=float(factor))


def attacks_from_the_start(occurrences: Sequence[Occurrence]) -> dict[str, AttackSpec]:
    """Return the attacks of peers that are Byzantine from the start; of two, the later one."""
    return {
        peer: attack_spec(each)
        for each in occurrences
        if is_from_the_start(each)
        for peer in each.peers
    }
