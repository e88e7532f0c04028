"""The rest of a fault plan, for a run that is resumed after its launcher died."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prisam_p2p.faults.fault_plan import (
    AfterFault,
    AtRound,
    AtTime,
    FaultPlan,
    HealAfter,
    HealAtRound,
    HealNever,
    Occurrence,
    id_of_leaving,
)

Line = Mapping[str, Any]
Hit = tuple[str, str]
"""An occurrence's id and a peer."""


@dataclass(frozen=True)
class ResumePoint:
    """Where a run is resumed; times are seconds of the run's clock.

    Attributes:
        began_s: when its rounds began.
        died_s: when its launcher died.
        first_round: the first round after the resumption.
    """

    began_s: float
    died_s: float
    first_round: int


def left_of(plan: FaultPlan, history: Sequence[Line], now: ResumePoint) -> FaultPlan:
    """Return the plan of what is still to happen.

    Firings that were not applied stay as planned; those after a fault that is done get its time.
    So do those that were applied, of which nobody saw that they bit, and whose round comes again.
    Firings that were active, and heal at a later round or never, start again with the first
    round: the processes and links that they were applied to are gone.

    Places change hands again in each round that is done again, whatever was seen of it: the old
    device is there until then, and the new one begins with W0, as at first.

    Args:
        history: the launcher's journal.
    """
    again = _unseen(plan, history, now.first_round)
    applied, active = _applied(history) - again, open_hits(history) - again
    turnovers = turnover_ids(plan)
    rest: list[Occurrence] = []
    for each in plan.occurrences:
        if each.id not in turnovers:
            rest += _rest(each, applied, active, now)
        elif _round_of(each) >= now.first_round:
            rest.append(each)
    there = {each.id for each in rest}
    timed = [_timed(each, there, history, now) for each in rest]
    return plan.model_copy(update={"occurrences": timed})


def open_hits(history: Sequence[Line]) -> set[Hit]:
    """Return the firings that were applied and not healed."""
    found: set[Hit] = set()
    for line in history:
        if line["record"] == "fault_applied":
            found.add((line["fault"], line["peer"]))
        elif line["record"] == "fault_healed":
            found.discard((line["fault"], line["peer"]))
    return found


def gone_for_good(plan: FaultPlan, history: Sequence[Line]) -> set[str]:
    """Return the peers whose process a fault ended for good, and that nothing brought back.

    One that was to end, and of whose end nobody heard, starts again: the fault then ends it.
    Devices whose place another one took are left out: that depends on the round to go on with.
    """
    turnovers = turnover_ids(plan)
    open_ = open_hits(history) - _unseen(plan, history, 0)
    return {
        peer
        for each in plan.occurrences
        if each.traits.ends_process
        and isinstance(each.heal, HealNever)
        and each.id not in turnovers
        for peer in each.peers
        if (each.id, peer) in open_
    }


def turnover_ids(plan: FaultPlan) -> set[str]:
    """Return the ids of the occurrences in which places change hands: who leaves, and who comes."""
    comes = [each for each in plan.occurrences if each.traits.replaces]
    return {id_ for each in comes for id_ in (each.id, id_of_leaving(each.fault, each.occurrence))}


def _round_of(each: Occurrence) -> int:
    assert isinstance(each.trigger, AtRound), "checked when the plan was read"
    return each.trigger.round


def _unseen(plan: FaultPlan, history: Sequence[Line], first_round: int) -> set[Hit]:
    """Return the firings that were applied, but not seen to bite, before the launcher died.

    Args:
        first_round: only those that are planned for a barrier of this round or a later one.
    """
    seen = {(x["fault"], x["peer"]) for x in history if x["record"] == "fault_verified"}
    to_come = {
        (each.id, peer)
        for each in plan.occurrences
        if isinstance(each.trigger, AtRound) and each.trigger.round >= first_round
        for peer in each.concerned
    }
    return (open_hits(history) - seen) & to_come


def _applied(history: Sequence[Line]) -> set[Hit]:
    return {(x["fault"], x["peer"]) for x in history if x["record"] == "fault_applied"}


def _rest(
    each: Occurrence, applied: set[Hit], active: set[Hit], now: ResumePoint
) -> Iterator[Occurrence]:
    """Yield the rest of an occurrence: at peers where it was not applied, and where it goes on."""
    hits = {peer: (each.id, peer) for peer in each.concerned}
    if each.traits.on_links:  # all its links at once
        untouched = each.peers if applied.isdisjoint(hits.values()) else None
        again = each.peers if active & set(hits.values()) else None
    else:
        untouched = [peer for peer, hit in hits.items() if hit not in applied] or None
        again = [peer for peer, hit in hits.items() if hit in active] or None
    if untouched is not None and hits:
        yield each.model_copy(update={"peers": untouched})
    if again is not None and _lasts(each, now.first_round):
        trigger = AtRound(round=_begins_again(each, now.first_round), phase="train")
        yield each.model_copy(update={"peers": again, "trigger": trigger})


def _begins_again(each: Occurrence, first_round: int) -> int:
    """Return the round in which an active fault starts again; data do not change any earlier."""
    if each.traits.changes_data and isinstance(each.trigger, AtRound):
        return max(first_round, each.trigger.round)
    return first_round


def _lasts(each: Occurrence, first_round: int) -> bool:
    if isinstance(each.heal, HealAtRound):
        return each.heal.round > first_round
    once = each.traits.ends_process or each.traits.starts_absent
    return not (once or isinstance(each.heal, HealAfter))


def _timed(
    each: Occurrence, there: set[str], history: Sequence[Line], now: ResumePoint
) -> Occurrence:
    trigger = each.trigger
    if not isinstance(trigger, AfterFault) or trigger.after in there:
        return each
    record = f"fault_{trigger.edge}"
    times = [x["t_s"] for x in history if x["record"] == record and x["fault"] == trigger.after]
    at_s = max(times, default=now.died_s) + trigger.delay_s - now.began_s
    return each.model_copy(update={"trigger": AtTime(time_s=max(0.0, at_s))})
