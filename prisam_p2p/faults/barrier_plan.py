"""Where peers wait for the faults of a plan: at barriers, and as donors within transfers. Pure.

A barrier is the beginning of a phase of a round. barriers.py says what happens there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from prisam_p2p.control.spec import Phase, Stop
from prisam_p2p.faults.fault_plan import AtRound, AtTransfer, FaultPlan, HealAtRound, Occurrence
from prisam_p2p.faults.scenario.timing import PHASES

PhaseStart = tuple[int, Phase]
"""The beginning of a phase of a round: (round, phase)."""


def barriers_of(
    plan: FaultPlan, neighbors: Mapping[str, Collection[str]]
) -> dict[str, list[PhaseStart]]:
    """Return the barriers of each peer, ascending; peers without a barrier are left out.

    The peers of an occurrence have a barrier where its trigger names a round and phase, and one at
    the beginning of the round in which it heals. Neighbors of a peer that starts or stops join the
    barrier.

    Args:
        neighbors: peer -> its neighbors.
    """
    found: dict[str, set[tuple[int, int]]] = {peer: set() for peer in plan.peers}
    for occurrence in plan.occurrences:
        attending = _attending(occurrence, neighbors)
        for round_index, phase in _barriers(occurrence):
            for peer in attending if round_index < plan.rounds else ():
                found[peer].add((round_index, PHASES.index(phase)))
    return {
        peer: [(round_index, PHASES[phase]) for round_index, phase in sorted(each)]
        for peer, each in found.items()
        if each
    }


def _attending(occurrence: Occurrence, neighbors: Mapping[str, Collection[str]]) -> set[str]:
    attending = set(occurrence.concerned)
    if occurrence.traits.takes_down or occurrence.traits.starts_process:
        attending.update(*(neighbors[peer] for peer in occurrence.peers))
    return attending


def _barriers(occurrence: Occurrence) -> Iterator[PhaseStart]:
    trigger, heal = occurrence.trigger, occurrence.heal
    if isinstance(trigger, AtRound):
        yield trigger.round, trigger.phase
    if isinstance(heal, HealAtRound):
        yield heal.round, "train"


def transfer_stops(plan: FaultPlan) -> dict[str, list[Stop]]:
    """Return the stops of each donor: (round or None for all, share of the bytes), ascending.

    None comes first. The donors are an occurrence's peers, or the senders of its links.
    """
    found: dict[str, set[Stop]] = {}
    for occurrence in plan.occurrences:
        trigger = occurrence.trigger
        if isinstance(trigger, AtTransfer):
            for donor in occurrence.donors:
                found.setdefault(donor, set()).add((trigger.round, trigger.share))
    return {donor: sorted(found[donor], key=_order) for donor in sorted(found)}


def _order(stop: Stop) -> tuple[int, float]:
    return (-1 if stop[0] is None else stop[0], stop[1])
