"""The faults of one run: a scenario compiled for it, or an earlier run's plan repeated."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.emulate.faults.acts import SUPPORTED
from prisam_p2p.emulate.faults.acts.full_disk import FULL
from prisam_p2p.emulate.faults.cast import cast_of
from prisam_p2p.emulate.faults.compile import compile_plan
from prisam_p2p.emulate.faults.fault_plan import FaultPlan, read_fault_plan
from prisam_p2p.emulate.faults.scenario import load_scenario
from prisam_p2p.emulate.plan import Plan
from prisam_p2p.emulate.topology import Topology
from prisam_p2p.errors import ConfigError


def faults_of(path: Path, topology: Topology, plan: Plan) -> FaultPlan:
    """Return the fault plan in, or compiled from, the file at `path`.

    Raises:
        ConfigError: it is neither, does not fit the run, or wants what this version cannot do.
    """
    found = plan_of(path, topology, plan)
    joining = {peer for o in found.occurrences if o.kind == "join" for peer in o.peers}
    if joining == {*found.peers}:
        raise ConfigError(str(path), "join", "all peers", "somebody who is there from the start")
    for each in found.occurrences:
        if each.kind not in SUPPORTED:
            right = f"a kind that can be run: {', '.join(sorted(SUPPORTED))}"
            raise ConfigError(str(path), each.id, each.kind, right)
        if each.kind == "full-disk" and not FULL.exists():
            raise ConfigError(str(path), each.id, each.kind, f"a system with {FULL}")
    return found


def plan_of(path: Path, topology: Topology, plan: Plan) -> FaultPlan:
    """Return the fault plan, whether it can be run or not (see `faults_of`)."""
    rounds, groups = plan.settings.rounds, {peer: each.group for peer, each in plan.peers.items()}
    if path.suffix != ".json":
        cast = cast_of(topology, groups)
        return compile_plan(load_scenario(path), cast, rounds, plan.settings.seed)
    found = read_fault_plan(path)
    if found.peers != list(plan.peers) or found.rounds != rounds:
        told = f"{len(found.peers)} peers, {found.rounds} rounds"
        raise ConfigError(str(path), "peers, rounds", told, "those of the run")
    return found
