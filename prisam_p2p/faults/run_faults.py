"""The faults of one run: a scenario that is compiled for it, or the plan of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.acts import act_class
from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.compiler.resolve_hosts import check_hosts
from prisam_p2p.faults.compiler.targets import targets_of
from prisam_p2p.faults.fault_plan import AtTransfer, FaultPlan, Occurrence, read_fault_plan
from prisam_p2p.faults.scenario.scenario import load_scenario
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.topology import Topology


def faults_of(path: Path, topology: Topology, plan: Plan) -> FaultPlan:
    """Return the fault plan in, or compiled from, the file at `path`.

    Raises:
        ConfigError: it is neither, does not fit the run, or cannot be run on this machine.
    """
    found = plan_of(path, topology, plan)
    joining = {peer for o in found.occurrences if o.traits.starts_absent for peer in o.peers}
    if joining == {*found.peers}:
        raise ConfigError(str(path), "join", "all peers", "a peer that is there from the start")
    for each in found.occurrences:
        _check_donors_take_part(each, plan, str(path))
        if right := act_class(each.kind).missing_here():
            raise ConfigError(str(path), each.id, each.kind, right)
    return found


def plan_of(path: Path, topology: Topology, plan: Plan) -> FaultPlan:
    """Return the fault plan, also one that this machine cannot run (see `faults_of`)."""
    rounds, groups = plan.settings.rounds, plan.data_groups().groups_at(0)
    targets = targets_of(topology, groups, plan.hosts.placement if plan.hosts else None)
    if path.suffix != ".json":
        return compile_plan(load_scenario(path), targets, rounds, plan.settings.seed)
    found = read_fault_plan(path)
    if found.peers != list(plan.peers) or found.rounds != rounds:
        told = f"{len(found.peers)} peers, {found.rounds} rounds"
        raise ConfigError(str(path), "peers, rounds", told, "those of the run")
    check_hosts(found, targets, str(path))
    return found


def _check_donors_take_part(occurrence: Occurrence, plan: Plan, path: str) -> None:
    """Refuse a fault within a transfer of weights that its donor does not offer."""
    trigger = occurrence.trigger
    if not isinstance(trigger, AtTransfer) or trigger.round is None:
        return
    for donor in occurrence.donors:
        if not plan.participation().takes_part(donor, trigger.round):
            takes = plan.participation().next_round(donor, trigger.round)
            right = f"a round that {donor} takes part in, as {takes}: it sits this one out"
            raise ConfigError(path, f"{occurrence.id} at.round", trigger.round, right)


_NAMED_LINKS = 8


_FAULTS = (
    TableColumn("fault", keeps=True),
    TableColumn("kind"),
    TableColumn("at"),
    TableColumn("targets", wraps=True),
    TableColumn("heals"),
)


def print_faults(plan: FaultPlan) -> None:
    """Print each occurrence: trigger, kind and targets."""
    rows = []
    for each in plan.occurrences:
        targets = ", ".join(each.peers) or _links(each.links)
        fit = f" ({each.cut_to_fit} left out by the guard)" if each.cut_to_fit else ""
        trigger, heal = (
            _words(part.model_dump(exclude_none=True)) for part in (each.trigger, each.heal)
        )
        rows.append([each.id, each.kind, trigger, (targets or "none") + fit, heal])
    print_table(_FAULTS, rows)
    print_line(f"{plan.scenario}: {len(plan.occurrences)} occurrences, seed {plan.seed}")


_NAMED_CHANGES = 40

_CHANGES = (
    TableColumn("peer", keeps=True),
    TableColumn("from round"),
    TableColumn("data group"),
    TableColumn("images of each class", wraps=True),
    TableColumn("fault"),
)


def print_data_changes(plan: Plan) -> None:
    """Print which peers have other data from which round on; nothing where all keep theirs."""
    rows = [
        [peer, str(x.round), str(x.group), " ".join(map(str, x.classes)), x.fault or "(heals)"]
        for peer, each in plan.peers.items()
        for x in each.data_changes
    ]
    if rows:
        print_line("")
        print_table(_CHANGES, rows[:_NAMED_CHANGES])
        more = len(rows) - _NAMED_CHANGES
        print_line(f"{len(rows)} changes of data" + (f", {more} not shown" if more > 0 else ""))


def _links(links: Sequence[tuple[str, str]]) -> str:
    """Return the names of the links, of many only the first."""
    named = ", ".join(f"{a}->{b}" for a, b in links[:_NAMED_LINKS])
    return named if len(links) <= _NAMED_LINKS else f"{len(links)} links: {named}, .."


def _words(values: dict[str, Any]) -> str:
    return "never" if values.get("never") else " ".join(f"{k} {v}" for k, v in values.items())
