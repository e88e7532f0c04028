"""Who meets where, so that faults of a round, phase or transfer do not race (meetings.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from prisam_p2p.emulate.faults.fault_plan import FaultPlan, Occurrence
from prisam_p2p.emulate.faults.kinds import REPLACING, STOPPING
from prisam_p2p.emulate.faults.meetings import Mark
from prisam_p2p.emulate.faults.plan_forms import AtRound, AtTransfer, HealAtRound
from prisam_p2p.emulate.faults.timing import PHASES

_WITH_NEIGHBORS = STOPPING | REPLACING | {"join"}
"""Who comes or goes is met by all who talk to it: else it would matter who is faster."""


def marks(plan: FaultPlan, neighbors: Mapping[str, Collection[str]]) -> dict[str, list[Mark]]:
    """Return where each peer waits: (round, phase), ascending; a peer without marks is left out.

    Whom a trigger at a round and phase concerns meets there, and again at the beginning of the
    round in which it is healed. Whom it takes away or brings its neighbors meet, too.
    """
    found: dict[str, set[tuple[int, int]]] = {peer: set() for peer in plan.peers}
    for occurrence in plan.occurrences:
        attending = _attending(occurrence, neighbors)
        for round_index, phase in _meetings(occurrence):
            for peer in attending if round_index < plan.rounds else ():
                found[peer].add((round_index, PHASES.index(phase)))
    return {
        peer: [(round_index, PHASES[phase]) for round_index, phase in sorted(each)]
        for peer, each in found.items()
        if each
    }


def _attending(occurrence: Occurrence, neighbors: Mapping[str, Collection[str]]) -> set[str]:
    attending = set(occurrence.concerned)
    if occurrence.kind in _WITH_NEIGHBORS:
        attending.update(*(neighbors[peer] for peer in occurrence.peers))
    return attending


def _meetings(occurrence: Occurrence) -> Iterator[Mark]:
    trigger, heal = occurrence.trigger, occurrence.heal
    if isinstance(trigger, AtRound):
        yield trigger.round, trigger.phase
    if isinstance(heal, HealAtRound):
        yield heal.round, "train"


def stops(plan: FaultPlan) -> dict[str, list[tuple[int | None, float]]]:
    """Return at which shares of which transfers each donor waits: (round, share), ascending.

    Round None is every round, and comes first. Donors are an occurrence's peers; of a fault of
    links, the peers from which the links lead.
    """
    found: dict[str, set[tuple[int | None, float]]] = {}
    for occurrence in plan.occurrences:
        trigger = occurrence.trigger
        if isinstance(trigger, AtTransfer):
            for donor in occurrence.donors:
                found.setdefault(donor, set()).add((trigger.round, trigger.share))
    return {donor: sorted(found[donor], key=_place) for donor in sorted(found)}


def _place(stop: tuple[int | None, float]) -> tuple[int, float]:
    return (-1 if stop[0] is None else stop[0], stop[1])
