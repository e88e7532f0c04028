"""What is left of a fault plan when its run goes on after its launcher died."""

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
)

Line = Mapping[str, Any]
Hit = tuple[str, str]
"""An occurrence's id and a peer."""


@dataclass(frozen=True)
class Moment:
    """Where a run goes on; seconds of its clock.

    Attributes:
        began_s: when its rounds began.
        died_s: when its launcher died.
        first_round: the one that it goes on with.
    """

    began_s: float
    died_s: float
    first_round: int


def left_of(plan: FaultPlan, history: Sequence[Line], now: Moment) -> FaultPlan:
    """Return what is to be done yet.

    What was not applied comes as planned, and what waits for a fault that is done comes at its
    time. What was under way, and lasts by rounds, begins again with the first round: the
    processes and links that it was done to are gone.

    Args:
        history: the launcher's journal.
    """
    hit, under_way = _applied(history), open_hits(history)
    rest = [each for o in plan.occurrences for each in _rest(o, hit, under_way, now)]
    there = {each.id for each in rest}
    timed = [_timed(each, there, history, now) for each in rest]
    return plan.model_copy(update={"occurrences": timed})


def open_hits(history: Sequence[Line]) -> set[Hit]:
    """Return what was applied last, and not healed."""
    found: set[Hit] = set()
    for line in history:
        if line["record"] == "fault_applied":
            found.add((line["fault"], line["peer"]))
        elif line["record"] == "fault_healed":
            found.discard((line["fault"], line["peer"]))
    return found


def gone_for_good(plan: FaultPlan, history: Sequence[Line]) -> set[str]:
    """Return the peers that the plan took away and does not bring back."""
    hit = _applied(history)
    return {
        peer
        for each in plan.occurrences
        if each.traits.ends_process and isinstance(each.heal, HealNever)
        for peer in each.peers
        if (each.id, peer) in hit
    }


def _applied(history: Sequence[Line]) -> set[Hit]:
    return {(x["fault"], x["peer"]) for x in history if x["record"] == "fault_applied"}


def _rest(
    each: Occurrence, hit: set[Hit], under_way: set[Hit], now: Moment
) -> Iterator[Occurrence]:
    """Yield what is left of an occurrence: where it was not applied, and where it goes on."""
    parts = {peer: (each.id, peer) for peer in each.concerned}
    if each.traits.on_links:  # all its links at once
        untouched = each.peers if hit.isdisjoint(parts.values()) else None
        again = each.peers if under_way & set(parts.values()) else None
    else:
        untouched = [peer for peer, part in parts.items() if part not in hit] or None
        again = [peer for peer, part in parts.items() if part in under_way] or None
    if untouched is not None and parts:
        yield each.model_copy(update={"peers": untouched})
    if again is not None and _lasts(each, now.first_round):
        trigger = AtRound(round=now.first_round, phase="train")
        yield each.model_copy(update={"peers": again, "trigger": trigger})


def _lasts(each: Occurrence, first_round: int) -> bool:
    if isinstance(each.heal, HealAtRound):
        return each.heal.round > first_round
    once = each.traits.ends_process or each.traits.starts_absent
    return not (once or isinstance(each.heal, HealAfter))


def _timed(each: Occurrence, there: set[str], history: Sequence[Line], now: Moment) -> Occurrence:
    trigger = each.trigger
    if not isinstance(trigger, AfterFault) or trigger.after in there:
        return each
    record = f"fault_{trigger.edge}"
    times = [x["t_s"] for x in history if x["record"] == record and x["fault"] == trigger.after]
    at_s = max(times, default=now.died_s) + trigger.delay_s - now.began_s
    return each.model_copy(update={"trigger": AtTime(time_s=max(0.0, at_s))})
