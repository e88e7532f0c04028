"""Where peers wait for the launcher, so that faults of a round, phase or transfer do not race."""

from __future__ import annotations

from collections.abc import Iterator

from prisam_p2p.emulate.faults.fault_plan import FaultPlan, Occurrence
from prisam_p2p.emulate.faults.kinds import REPLACING, STOPPING
from prisam_p2p.emulate.faults.plan_forms import AtRound, AtTransfer, HealAtRound
from prisam_p2p.emulate.faults.timing import PHASES, Phase

Mark = tuple[int, Phase]


def marks(plan: FaultPlan) -> dict[str, list[Mark]]:
    """Return where each peer waits: (round, phase), ascending; a peer without marks is left out.

    A trigger holds up the peers that it concerns; a heal holds them up at the beginning of its
    round. Where they cannot come there by themselves (absent, down, replaced), all others wait, and
    the first to come brings it about.
    """
    found: dict[str, set[tuple[int, int]]] = {peer: set() for peer in plan.peers}
    for occurrence in plan.occurrences:
        for peers, (round_index, phase) in _waits(occurrence, plan):
            for peer in peers if round_index < plan.rounds else ():
                found[peer].add((round_index, PHASES.index(phase)))
    return {
        peer: [(round_index, PHASES[phase]) for round_index, phase in sorted(each)]
        for peer, each in found.items()
        if each
    }


def _waits(occurrence: Occurrence, plan: FaultPlan) -> Iterator[tuple[list[str], Mark]]:
    trigger, heal, kind = occurrence.trigger, occurrence.heal, occurrence.kind
    concerned = occurrence.concerned
    if not concerned:
        return
    others = [peer for peer in plan.peers if peer not in occurrence.peers]
    if isinstance(trigger, AtRound):
        yield others if kind == "join" else concerned, (trigger.round, trigger.phase)
    if isinstance(heal, HealAtRound):
        gone = kind in STOPPING or kind in REPLACING
        yield others if gone else concerned, (heal.round, "train")


def stops(plan: FaultPlan) -> dict[str, list[tuple[int | None, float]]]:
    """Return at which shares of which transfers each donor waits: (round, share), ascending.

    Round None is every round, and comes first. Donors are an occurrence's peers; of a fault of
    links, the peers from which the links lead.
    """
    found: dict[str, set[tuple[int | None, float]]] = {}
    for occurrence in plan.occurrences:
        trigger = occurrence.trigger
        if isinstance(trigger, AtTransfer):
            for donor in occurrence.peers or [a for a, _ in occurrence.links]:
                found.setdefault(donor, set()).add((trigger.round, trigger.share))
    return {donor: sorted(found[donor], key=_place) for donor in sorted(found)}


def _place(stop: tuple[int | None, float]) -> tuple[int, float]:
    return (-1 if stop[0] is None else stop[0], stop[1])
