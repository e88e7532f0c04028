"""How data change in a run: drifts and replacements of its scenario, or of an earlier fault plan.

They are known before the data are dealt, which is before the other faults are compiled: neither
hosts nor other faults have a say in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.compiler.targets import targets_of
from prisam_p2p.faults.fault_plan import AtRound, FaultPlan, HealAtRound, read_fault_plan
from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.faults.scenario.scenario import load_scenario
from prisam_p2p.learn.data_in_time import NEXT, Drift
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.replacements import Replacement
from prisam_p2p.plan.topology import Topology
from prisam_p2p.settings import EngineName


def drifts_in(path: Path | None, topology: Topology, plan: Plan) -> list[Drift]:
    """Return the drifts in a scenario (.toml) or a fault plan (.json) for a run.

    Raises:
        ConfigError: the file is neither, or does not fit the run.
    """
    if path is None:
        return []
    if path.suffix == ".json":
        found = drifts_of(read_fault_plan(path))
        _check_groups(found, plan, path)
        return found
    scenario = load_scenario(path)
    drifting = [fault for fault in scenario.faults if KINDS[fault.kind].changes_data]
    if not drifting:
        return []
    alone = scenario.model_copy(update={"faults": drifting})
    targets = targets_of(topology, plan.data_groups().groups_at(0))
    return drifts_of(compile_plan(alone, targets, plan.settings.rounds, plan.settings.seed))


def _check_groups(drifts: Sequence[Drift], plan: Plan, path: Path) -> None:
    groups = plan.data_groups().groups_at(0)
    for drift in drifts:
        if drift.peer not in groups or None in groups.values():
            right = "faults without drift: the peers of this run, or their data groups, are others"
            raise ConfigError(str(path), drift.fault, drift.peer, right)
        if drift.to not in (NEXT, *groups.values()):
            raise ConfigError(str(path), f"{drift.fault}.to", drift.to, "a data group of the run")


def drifts_of(plan: FaultPlan) -> list[Drift]:
    """Return the drifts of a fault plan, in its order."""
    found = []
    for each in plan.occurrences:
        if not each.traits.changes_data:
            continue
        assert isinstance(each.trigger, AtRound), "checked when the plan was read"
        asked: dict[str, Any] = {**each.parameters}
        until = each.heal.round if isinstance(each.heal, HealAtRound) else None
        start, steps = each.trigger.round, (asked["to"], asked["over_rounds"])
        found += [Drift(each.id, p, start, *steps, until) for p in each.peers]
    return found


def replacements_in(path: Path | None, topology: Topology, plan: Plan) -> list[Replacement]:
    """Return whose place is taken by whom, by a scenario (.toml) or a fault plan (.json).

    Raises:
        ConfigError: the file is neither, or does not fit the run.
    """
    if path is None:
        return []
    if path.suffix == ".json":
        found = replacements_of(read_fault_plan(path))
    else:
        scenario = load_scenario(path)
        if not any(KINDS[fault.kind].replaces for fault in scenario.faults):
            return []
        targets = targets_of(topology, plan.data_groups().groups_at(0))
        settings = plan.settings
        found = replacements_of(compile_plan(scenario, targets, settings.rounds, settings.seed))
    if found:
        _check_settings(plan, path)
    known = {*topology.peer_ids, *(each.comes for each in found)}
    for each in found:
        if each.leaves not in known:
            right = "faults of a run of this network: it has no such peer"
            raise ConfigError(str(path), each.fault, each.leaves, right)
    return found


def _check_settings(plan: Plan, path: Path) -> None:
    """Raise ConfigError where settings do not go with devices that are replaced."""
    if plan.settings.on is not EngineName.NONE:
        right = "no --on: the places of devices change hands on the launcher's host only"
    elif not plan.participation().of_all:
        right = "no --participation below all: who takes part is drawn from peers that all stay"
    elif plan.settings.mask_hops > 1:
        right = "--mask-hops 1: masks are relayed between peers that all stay"
    else:
        return
    raise ConfigError(str(path), "kind", "replace", right)


def replacements_of(plan: FaultPlan) -> list[Replacement]:
    """Return whose place is taken by whom, by round ascending.

    The id of a newcomer tells it: p07-2 takes the place of p07-1, and p07-1 that of p07.
    """
    found = []
    for each in plan.occurrences:
        if not each.traits.replaces:
            continue
        assert isinstance(each.trigger, AtRound), "checked when the plan was read"
        asked: dict[str, Any] = dict(each.parameters)
        for peer in each.peers:
            place, _, number = peer.rpartition("-")
            leaves = place if number == "1" else f"{place}-{int(number) - 1}"
            found.append(Replacement(each.id, each.trigger.round, place, leaves, peer, asked["to"]))
    return sorted(found, key=lambda replacement: (replacement.round, replacement.comes))
