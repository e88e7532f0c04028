"""From a scenario and a network to a fault plan: a pure function, every draw from the seed."""

from __future__ import annotations

from collections.abc import Mapping

from prisam_p2p.faults.cast import Cast
from prisam_p2p.faults.draft import Draft, draft
from prisam_p2p.faults.fault_plan import AtRound, FaultPlan, Occurrence
from prisam_p2p.faults.guard import Fit, fit
from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.faults.models.fault import Fault
from prisam_p2p.faults.occurrence_times import moments
from prisam_p2p.faults.scenario import Scenario
from prisam_p2p.faults.selectors import Place


def compile_plan(scenario: Scenario, cast: Cast, rounds: int, seed: int) -> FaultPlan:
    """Return the plan of a run of `rounds` rounds; equal arguments give equal plans.

    Raises:
        ConfigError: the scenario names a peer, link, group, profile or round that this run has not,
            a selector means nobody, or a fault comes too often.
    """
    limit = scenario.guard.limit(len(cast.peers)) if scenario.guard else len(cast.peers)
    by_id = _drafts(scenario, cast, rounds, seed)
    drafts = [each for fault in scenario.faults for each in by_id[fault.id]]
    fits = fit(drafts, limit)
    return FaultPlan(
        scenario=scenario.name,
        seed=seed,
        rounds=rounds,
        peers=list(cast.peers),
        most_down=limit,
        occurrences=[_occurrence(d, f) for d, f in zip(drafts, fits, strict=True)],
    )


def _drafts(scenario: Scenario, cast: Cast, rounds: int, seed: int) -> dict[str, list[Draft]]:
    """Return fault -> its occurrences; a fault that comes after another has one for each of it."""
    found: dict[str, list[Draft]] = {}
    faults = {fault.id: fault for fault in scenario.faults}
    for fault in scenario.faults:
        for each in _with_those_before(fault, faults):
            if each.id not in found:
                place = Place(f"scenario {scenario.name}", each.id)
                before = found[each.at.after] if each.at and each.at.after else []
                whens = moments(each, len(before), rounds, seed, place)
                found[each.id] = [
                    draft(each, n, trigger, cast, generator, place)
                    for n, (trigger, generator) in enumerate(whens)
                ]
    return found


def _with_those_before(fault: Fault, faults: Mapping[str, Fault]) -> list[Fault]:
    """Return the fault, and before it those that it comes after, the first of all first."""
    chain = [fault]
    while chain[0].at and chain[0].at.after:
        chain.insert(0, faults[chain[0].at.after])
    return chain


def _occurrence(draft: Draft, fit: Fit) -> Occurrence:
    fault = draft.fault
    return Occurrence(
        id=f"{fault.id}#{draft.occurrence}",
        fault=fault.id,
        occurrence=draft.occurrence,
        kind=fault.kind,
        peers=list(fit.peers),
        links=list(draft.links),
        trigger=draft.trigger,
        heal=draft.heal,
        parameters=draft.parameters,
        already_down=fit.already_down,
        cut_to_fit=fit.cut_to_fit,
        guard_at_run_time=KINDS[fault.kind].takes_down and not isinstance(draft.trigger, AtRound),
    )
