"""From a scenario and a network to a fault plan: a pure function, every draw from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from prisam_p2p.faults.compiler.draft import Draft, draft
from prisam_p2p.faults.compiler.guard import Fit, fit
from prisam_p2p.faults.compiler.occurrence_times import occurrence_times
from prisam_p2p.faults.compiler.resolve_peers import KeyPath
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.fault_plan import (
    LEAVING,
    AtRound,
    FaultPlan,
    Occurrence,
    id_of_leaving,
)
from prisam_p2p.faults.scenario.fault import Fault
from prisam_p2p.faults.scenario.scenario import Scenario
from prisam_p2p.plan.replacements import Replacement, To, Turnover, replacements


def compile_plan(scenario: Scenario, targets: Targets, rounds: int, seed: int) -> FaultPlan:
    """Return the fault plan of a run of `rounds` rounds; equal arguments give equal plans.

    Raises:
        ConfigError: the scenario names a peer, link, group, profile or round that this run does
            not have, a selector matches nothing, or a fault has too many occurrences.
    """
    limit = scenario.guard.limit(len(targets.peers)) if scenario.guard else len(targets.peers)
    by_id = _drafts(scenario, targets, rounds, seed)
    drafts = [each for fault in scenario.faults for each in by_id[fault.id]]
    fits = fit(drafts, limit)
    pairs = [*zip(drafts, fits, strict=True)]
    changes = _replacements(pairs, targets, f"scenario {scenario.name}")
    return FaultPlan(
        scenario=scenario.name,
        seed=seed,
        rounds=rounds,
        peers=sorted([*targets.peers, *(each.comes for each in changes)]),
        most_down=limit,
        occurrences=[each for d, f in pairs for each in _occurrences(d, f, changes)],
    )


def _replacements(
    pairs: Sequence[tuple[Draft, Fit]], targets: Targets, where: str
) -> list[Replacement]:
    """Return whose place is taken by whom, and when."""
    asked = []
    for each, fitting in pairs:
        if each.traits.replaces:
            assert isinstance(each.trigger, AtRound), "checked when the scenario was read"
            id_, to = f"{each.fault.id}#{each.occurrence}", each.parameters["to"]
            asked.append(Turnover(id_, each.trigger.round, fitting.peers, cast(To, to)))
    return replacements(asked, where, targets.peers)


def _occurrences(draft: Draft, fit: Fit, changes: Sequence[Replacement]) -> list[Occurrence]:
    """Return the occurrence of a draft; where places change hands, those leave first who did."""
    found = _occurrence(draft, fit)
    if not draft.traits.replaces:
        return [found]
    own = [each for each in changes if each.fault == found.id]
    comes = found.model_copy(update={"peers": sorted(each.comes for each in own)})
    fault = f"{draft.fault.id}{LEAVING}"
    leaves = Occurrence(
        id=id_of_leaving(draft.fault.id, draft.occurrence),
        fault=fault,
        occurrence=draft.occurrence,
        kind="leave",
        peers=sorted(each.leaves for each in own),
        links=[],
        trigger=draft.trigger,
        heal=draft.heal,
        parameters={"from": "state"},
    )
    return [leaves, comes]


def _drafts(scenario: Scenario, targets: Targets, rounds: int, seed: int) -> dict[str, list[Draft]]:
    """Return fault -> its occurrences; one with `after` has as many as the fault before it."""
    found: dict[str, list[Draft]] = {}
    faults = {fault.id: fault for fault in scenario.faults}
    for fault in scenario.faults:
        for each in _with_those_before(fault, faults):
            if each.id not in found:
                path = KeyPath(f"scenario {scenario.name}", each.id)
                before = found[each.at.after] if each.at and each.at.after else []
                times = occurrence_times(each, len(before), rounds, seed, path)
                found[each.id] = [
                    draft(each, n, trigger, targets, generator, path)
                    for n, (trigger, generator) in enumerate(times)
                ]
    return found


def _with_those_before(fault: Fault, faults: Mapping[str, Fault]) -> list[Fault]:
    """Return the chain of faults that ends in `fault`, the first one first."""
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
        guard_at_run_time=draft.traits.takes_down and not isinstance(draft.trigger, AtRound),
    )
