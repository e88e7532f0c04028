"""Before a launch: count what its runs need, measure what a peer costs, refuse what cannot fit.

A launch that obviously fits is let through by an upper bound on its memory. Otherwise two probes
are run, whose results are remembered (docs/decisions/0028-preflight.md).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from prisam_p2p.errors import DoesNotFit, PrisamError
from prisam_p2p.extensions.reference import short_name
from prisam_p2p.launch.probe import (
    ROUNDS,
    STEPS,
    donors_of_a_probe,
    measure_peers,
    neighbors_of_a_probe,
    probe_settings,
)
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.preflight.cost_cache import cache_folder, remember, remembered
from prisam_p2p.preflight.counts import Circumstances, RunCounts, count
from prisam_p2p.preflight.duration import seconds
from prisam_p2p.preflight.host_shares import host_shares
from prisam_p2p.preflight.host_verdict import shortages_of_hosts
from prisam_p2p.preflight.needs import disk, memory, most_memory
from prisam_p2p.preflight.peer_cost import PeerCosts
from prisam_p2p.preflight.verdict import (
    Preflight,
    RunNeeds,
    Shortage,
    refusal,
    shortage_of_disk,
    shortages,
)
from prisam_p2p.settings import NetworkKind, Security
from prisam_p2p.system.host_limits import HostLimits, host_limits, open_files

_OBVIOUS = 0.5
"""A bound on the memory below this share of what is left needs no probe."""


@dataclass(frozen=True)
class PlannedRun:
    """One of the runs of a launch, which are done one after the other.

    Attributes:
        namespaces: whether each peer gets a network namespace.
    """

    plan: Plan
    namespaces: bool


def require_fit(prepared: Prepared, runs: Sequence[PlannedRun], run_dir: Path, force: bool) -> None:
    """Let a launch pass if it fits on this machine. The caller has one thread, as this may fork.

    Args:
        force: only say what does not fit.

    Raises:
        DoesNotFit: it does not.
    """
    limits = host_limits(run_dir, Path(tempfile.gettempdir()))
    counted = [_needs(run, None) for run in runs]
    hosts = runs[0].plan.hosts
    found = _shortages(runs, counted, limits)
    if not (hosts or found or _obviously_fits(runs, counted, limits)):
        examined = examine(prepared, runs, run_dir)
        found = [*examined.shortages]
        if examined.unknown:
            print(f"prisam: memory was not estimated: {examined.unknown}", file=sys.stderr)
    if not found:
        return
    name, where = runs[0].plan.topology, "its hosts" if hosts else "this machine"
    text = refusal(name, found, where)
    if not force:
        raise DoesNotFit(text)
    print(f"prisam: {text}", file=sys.stderr)


def examine(prepared: Prepared, runs: Sequence[PlannedRun], run_dir: Path) -> Preflight:
    """Count and measure everything that runs into `run_dir` need; may take a few seconds."""
    limits = host_limits(run_dir, Path(tempfile.gettempdir()))
    unknown, needs = "", []
    for run in runs:
        costs = None
        try:
            costs = costs_of(prepared, run.plan.at_one_time())
        except (PrisamError, OSError) as error:
            unknown = str(error)
        needs.append(_needs(run, costs))
    found, shares = _shortages(runs, needs, limits), host_shares(runs[0].plan, needs[0].counts)
    return Preflight(runs[0].plan.topology, needs, limits, unknown, found, shares)


def _shortages(
    runs: Sequence[PlannedRun], needs: Sequence[RunNeeds], limits: HostLimits
) -> list[Shortage]:
    """Return what does not fit here, or on the hosts; then this machine keeps the files alone."""
    if (hosts := runs[0].plan.hosts) is None:
        return shortages(needs, limits)
    shares = host_shares(runs[0].plan, needs[0].counts)
    return [*shortages_of_hosts(hosts, shares), *shortage_of_disk(needs, limits)]


def costs_of(prepared: Prepared, plan: Plan) -> PeerCosts:
    """Return what the devices with the smallest and the largest model cost, measured or remembered.

    Raises:
        ProbeFailed: it could not be measured.
        OSError: there is no room for the probe's files.
    """
    by_size = sorted(plan.peers, key=lambda peer: plan.peers[peer].parameters)
    pair = (by_size[0], by_size[-1])
    key = _key(plan, pair)
    costs = remembered(cache_folder(), key)
    if costs is None:
        costs = measure_peers(prepared, plan, pair)
        remember(cache_folder(), key, costs)
    return PeerCosts(costs)


def counts_on_hosts(plan: Plan) -> RunCounts:
    """Return what the run of a plan has at its peak where its peers live on several hosts."""
    namespaces = plan.settings.network is NetworkKind.NAMESPACES
    return count(plan, Circumstances(namespaces, secured=True, open_files=open_files()))


def held_bytes() -> int:
    """Return the memory that this process holds now, which its forks will share."""
    return int(psutil.Process().memory_info().rss)


def _needs(run: PlannedRun, costs: PeerCosts | None) -> RunNeeds:
    plan = run.plan.at_one_time()
    secured = plan.settings.security is Security.CURVE
    here = Circumstances(run.namespaces, secured, open_files())
    counts = counts_on_hosts(plan) if plan.hosts else count(plan, here)
    needs = RunNeeds(
        algorithm=short_name(plan.settings.algorithm),
        namespaces=run.namespaces,
        counts=counts,
        memory=None,
        disk=disk(run.plan, counts),  # all devices leave files
        seconds=None,
    )
    if costs is None:
        return needs
    in_memory = memory(plan, counts, costs, held_bytes(), run.namespaces)
    return replace(needs, memory=in_memory, seconds=seconds(plan, counts, costs))


def _obviously_fits(
    runs: Sequence[PlannedRun], counted: Sequence[RunNeeds], limits: HostLimits
) -> bool:
    """Tell whether an upper bound on the memory leaves no doubt."""
    if limits.memory is None:
        return True
    shared = held_bytes()
    most = max(
        most_memory(run.plan.at_one_time(), each.counts, shared) + each.disk.temporary
        for run, each in zip(runs, counted, strict=True)
    )
    return most < _OBVIOUS * limits.memory.amount


def _key(plan: Plan, peers: tuple[str, str]) -> dict[str, object]:
    """Return all that the cost of these peers depends on."""
    return {
        "rounds": ROUNDS,
        "steps": STEPS,
        "settings": probe_settings(plan.settings).model_dump(mode="json"),
        "model": plan.model.model_dump(mode="json"),
        "similarity_ratio": plan.similarity_ratio,
        "clusters": plan.clusters,
        "fan_in": plan.fan_in,
        "traits": asdict(plan.traits),
        "code": {name: each.model_dump(mode="json") for name, each in plan.code.items()},
        "peers": [
            {
                "prune_ratio": plan.peers[peer].prune_ratio,
                "threads": plan.peers[peer].profile.threads,
                "neighbors": len(neighbors_of_a_probe(plan, peer)),
                "donors": donors_of_a_probe(plan, peer),
                "images": sum(plan.peers[peer].classes),
            }
            for peer in peers
        ],
        "processor": plan.host.processor,
        "python": plan.host.python,
        "versions": plan.host.versions,
        "commit": plan.host.git_commit,
        "cores": os.cpu_count(),
    }
