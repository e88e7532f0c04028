"""The hosts of a run: what the engine offers, what the peers need, and which peer lives where."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prisam_p2p.errors import ConfigError, PrisamError
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.launch.fit import costs_of, counts_on_hosts, held_bytes
from prisam_p2p.plan.host_room import HostOffer, PeerNeeds
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.hosts_table import HostsTable, check_pins, chosen_hosts
from prisam_p2p.plan.placement import Placed, place, placed_as_before
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.plan.topology import Topology
from prisam_p2p.preflight.host_needs import largest_needs, peer_needs
from prisam_p2p.preflight.needs import MIB, memory_of_agent
from prisam_p2p.settings import (
    EngineName,
    NetworkKind,
    OnHostLoss,
    Placement,
    RunSettings,
    Security,
    Start,
)


@dataclass(frozen=True)
class _Needs:
    """What is to be placed: the peers' needs, and what a host needs before its first peer."""

    peers: dict[str, PeerNeeds]
    base_mib: int


def check_settings(settings: RunSettings) -> None:
    """Check what --on goes together with.

    Raises:
        ConfigError: two settings contradict each other.
    """
    if settings.on is EngineName.NONE:
        if settings.hosts is not None:
            right = "none, or --on ray, slurm or local beside it"
            raise ConfigError("--hosts", "", settings.hosts, right)
        return
    if settings.security is Security.PLAIN and settings.on is not EngineName.LOCAL:
        right = "curve or auto: with --on, connections between hosts are encrypted"
        raise ConfigError("--security", "", settings.security.value, right)
    if settings.network is NetworkKind.NAMESPACES:
        _check_namespaces(settings)
    if settings.start is Start.SPAWN:
        right = "zygote: the agents of hosts fork the peers"
        raise ConfigError("--start", "", settings.start.value, right)


def _check_namespaces(settings: RunSettings) -> None:
    """Check what --network namespaces goes together with where there are hosts."""
    if settings.on is EngineName.LOCAL:
        right = "loopback or auto with --on local; on one machine, namespaces need no --on"
        raise ConfigError("--network", "", settings.network.value, right)
    if settings.on_host_loss is OnHostLoss.RESTART:
        right = "lost beside --network namespaces: no host makes namespaces for another's peers"
        raise ConfigError("--on-host-loss", "", settings.on_host_loss.value, right)


def on_hosts(
    prepared: Prepared, topology: Topology, engine: HostEngine
) -> tuple[Prepared, list[str]]:
    """Return a run whose peers, and those of its baseline, are placed on the engine's hosts.

    The caller has one thread, as what a peer costs may be measured, by a fork.

    Returns:
        The run, and lines for people: what of an earlier placement could not be kept, what is not
        known.

    Raises:
        ConfigError: the engine offers no hosts, or not those that were asked for.
        DoesNotFit: there are too few GPUs.
    """
    plans = [plan for plan in (prepared.plan, prepared.baseline) if plan]
    offers, notes = engine.offers(), list[str]()
    measured = [_needs_of(prepared, plan, notes) for plan in plans]
    needs = _Needs(largest_needs(measured), memory_of_agent(held_bytes()) // MIB + 1)
    hosts, said = plan_hosts(topology, prepared.plan.settings, offers, needs.peers, needs.base_mib)
    plan, *beside = [each.model_copy(update={"hosts": hosts}) for each in plans]
    baseline = beside[0] if beside else None
    return replace(prepared, plan=plan, baseline=baseline), list(dict.fromkeys(notes + said))


def plan_hosts(
    topology: Topology,
    settings: RunSettings,
    offers: Sequence[HostOffer],
    needs: Mapping[str, PeerNeeds],
    base_mib: int,
) -> tuple[HostsPlan, list[str]]:
    """Return the hosts of a run and the placement, and what of an earlier one was not kept. Pure.

    On the hosts of the plan.json that `topology` is from, peers live where they lived then.

    Raises:
        ConfigError: the topology or the settings ask for hosts that are not there.
        DoesNotFit: there are too few GPUs.
    """
    before = topology.hosts_before
    if before and (kept := _as_before(before, settings, offers, needs, base_mib)):
        return kept, []
    said = list[str]()
    if before:
        table, pins = _table_of(before, offers, settings, said)
    else:
        table, where = topology.hosts, str(topology.path)
        profiles = {peer: each.profile for peer, each in needs.items()}
        groups = {peer: each.group for peer, each in needs.items()}
        pins = table.pins(profiles, groups, where)
    policy = settings.placement or table.default_policy
    count = settings.hosts or table.count
    option = ("--hosts", "") if settings.hosts else (str(topology.path), "hosts.count")
    hosts = chosen_hosts(offers, count, table.names, option, str(topology.path))
    if policy is Placement.PIN:
        _check_pinned(pins, topology)
        pins = check_pins(pins, hosts, str(topology.path))
    placed = place(needs, hosts, policy, pins, base_mib)
    plan = _hosts_plan(settings, policy, hosts, needs, base_mib, placed)
    return plan.model_copy(update={"pins": pins, "names": table.names}), said


def placement_line(hosts: HostsPlan) -> str:
    """Return where the peers live, in one line for people."""
    counts = Counter(hosts.placement.values())
    each = ", ".join(f"{name} ({host.node}) {counts[name]}" for name, host in hosts.hosts.items())
    on = f"{len(hosts.hosts)} host{'s' if len(hosts.hosts) > 1 else ''} of {hosts.engine}"
    return f"{len(hosts.placement)} peers on {on}, {hosts.policy}: {each}"


def say(lines: Sequence[str]) -> None:
    """Print lines on stderr."""
    for line in lines:
        print(f"prisam: {line}", file=sys.stderr)


def _needs_of(prepared: Prepared, plan: Plan, notes: list[str]) -> dict[str, PeerNeeds]:
    """Return what each peer of a plan needs; note where its memory could not be measured."""
    costs = None
    try:
        costs = costs_of(prepared, plan)
    except (PrisamError, OSError) as error:
        notes.append(f"memory of peers was not measured, that of their profiles counts: {error}")
    return peer_needs(plan, counts_on_hosts(plan), costs)


def _as_before(
    before: HostsPlan,
    settings: RunSettings,
    offers: Sequence[HostOffer],
    needs: Mapping[str, PeerNeeds],
    base_mib: int,
) -> HostsPlan | None:
    """Return the hosts and the placement of an earlier run; None = they cannot be had, or fit."""
    by_node = {each.node: each for each in offers}
    asked = (settings.on, settings.placement or before.policy, settings.hosts or len(before.hosts))
    if asked != (before.engine, before.policy, len(before.hosts)):
        return None
    if any(host.node not in by_node for host in before.hosts.values()):
        return None
    hosts = [replace(by_node[host.node], name=name) for name, host in before.hosts.items()]
    placed = placed_as_before(before.placement, needs, hosts, base_mib)
    if placed is None:
        return None
    plan = _hosts_plan(settings, before.policy, hosts, needs, base_mib, placed)
    return plan.model_copy(update={"pins": before.pins, "names": before.names})


def _table_of(
    before: HostsPlan, offers: Sequence[HostOffer], settings: RunSettings, said: list[str]
) -> tuple[HostsTable, dict[str, tuple[str, ...]]]:
    """Return what of an earlier run's [hosts] holds on other hosts, and its pins."""
    were = ", ".join(host.node for host in before.hosts.values())
    said.append(f"peers are placed anew: the run was begun on {were} ({before.engine})")
    nodes = {each.node for each in offers}
    names = {name: node for name, node in before.names.items() if node in nodes}
    count = settings.hosts or len(offers)
    there = {*names, *(each.name for each in offers[:count])}
    pins = {peer: hosts for peer, hosts in before.pins.items() if there.issuperset(hosts)}
    if lost := len(before.pins) - len(pins):
        said.append(f"{lost} peers were pinned to hosts that are not there; they are spread")
    policy = before.policy
    if policy is Placement.PIN and not pins:
        policy = Placement.SPREAD
    table = HostsTable(names=names).model_copy(update={"policy": policy})
    return table, pins


def _hosts_plan(
    settings: RunSettings,
    policy: Placement,
    hosts: Sequence[HostOffer],
    needs: Mapping[str, PeerNeeds],
    base_mib: int,
    placed: Placed,
) -> HostsPlan:
    return HostsPlan(
        engine=settings.on,
        policy=policy,
        lease_s=settings.lease_s,
        on_host_loss=settings.on_host_loss,
        base_mib=base_mib,
        hosts={host.name: host for host in hosts},
        needs=dict(needs),
        placement=placed.hosts,
        gpus=placed.gpus,
    )


def _check_pinned(pins: Mapping[str, object], topology: Topology) -> None:
    if not pins:
        right = f"group or spread: {topology.path} pins no peer to a host in its table [hosts]"
        raise ConfigError("--placement", "", "pin", right)
