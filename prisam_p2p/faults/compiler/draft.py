"""An occurrence whose targets are drawn, before the guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xxhash
from pydantic import JsonValue

from prisam_p2p.faults.compiler.resolve_hosts import links_leaving, resolve_hosts
from prisam_p2p.faults.compiler.resolve_links import (
    links_between,
    links_of,
    resolve_links,
    resolve_sides,
)
from prisam_p2p.faults.compiler.resolve_peers import KeyPath, draw_peers
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.fault_plan import (
    AfterFault,
    HealAfter,
    HealAt,
    HealAtRound,
    HealNever,
    Trigger,
)
from prisam_p2p.faults.kinds import KINDS, FaultKind
from prisam_p2p.faults.scenario.data_faults import DriftFault, ReplaceFault
from prisam_p2p.faults.scenario.fault import Fault, OnLinks, OnPeers
from prisam_p2p.faults.scenario.host_faults import HostCutFault, OnHosts
from prisam_p2p.faults.scenario.link_faults import CutFault, PartitionFault
from prisam_p2p.plan.link_properties import Link
from prisam_p2p.plan.toml_file import Told


@dataclass(frozen=True, slots=True)
class Draft:
    """An occurrence before the guard.

    Attributes:
        peers: in the order drawn; the guard leaves out the last ones.
    """

    fault: Fault
    occurrence: int
    trigger: Trigger
    heal: HealAt
    peers: tuple[str, ...]
    links: tuple[Link, ...]
    parameters: dict[str, JsonValue]

    @property
    def traits(self) -> FaultKind:
        """The row of its kind."""
        return KINDS[self.fault.kind]


def draft(
    fault: Fault,
    occurrence: int,
    trigger: Trigger,
    targets: Targets,
    generator: np.random.Generator,
    path: KeyPath,
) -> Draft:
    """Draw the targets of an occurrence; raise ConfigError if its selectors match nothing."""
    peers, links = tuple[str, ...](), tuple[Link, ...]()
    parameters = fault.parameters()
    if isinstance(fault, OnPeers):
        at = KeyPath(path.where, f"{path.key}.peers")
        if isinstance(fault, ReplaceFault):
            _check_groups(fault, targets, path)
        there = _unable_to_drift(fault, targets, path) if isinstance(fault, DriftFault) else ()
        peers = draw_peers(fault.peers, targets, generator, at, there)
        links = links_of(peers, targets) if KINDS[fault.kind].on_links else ()
    elif isinstance(fault, OnLinks):
        at = KeyPath(path.where, f"{path.key}.links")
        one_way = isinstance(fault, CutFault) and fault.one_way
        links = resolve_links(fault.links, targets, generator, at, one_way)
    elif isinstance(fault, PartitionFault):
        sides = resolve_sides(fault, targets, generator, path)
        links = links_between(sides, targets, fault.one_way)
        parameters["groups"] = [list(side) for side in sides]
        if not links:
            raise path.error("groups", Told("unlinked"), "sides with a link between them")
    elif isinstance(fault, OnHosts):
        at = KeyPath(path.where, f"{path.key}.hosts")
        hosts = resolve_hosts(fault.hosts, targets, generator, at)
        parameters["hosts"] = [*sorted(hosts)]
        if isinstance(fault, HostCutFault):
            links = links_leaving(hosts, targets, fault.one_way)
            if not links:
                raise at.error("", Told("no links"), "a host with a link to another one")
        else:
            peers = targets.on_hosts(hosts)
    return Draft(fault, occurrence, trigger, _heal(fault, trigger), peers, links, parameters)


def _unable_to_drift(fault: DriftFault, targets: Targets, path: KeyPath) -> tuple[str, ...]:
    """Return the peers that cannot drift, as they are of the group already.

    Raises:
        ConfigError: the data have no groups, or not this one, or `ids` names such a peer.
    """
    _check_groups(fault, targets, path)
    if fault.to == "next":
        return ()
    there = tuple(peer for peer, group in targets.data_groups.items() if group == fault.to)
    if wrong := sorted({*there} & {*(fault.peers.ids or ())}):
        raise path.error("peers", wrong[0], f"a peer that is not of data group {fault.to} already")
    return there


def _check_groups(fault: DriftFault | ReplaceFault, targets: Targets, path: KeyPath) -> None:
    """Raise ConfigError where the data have no groups, or not the one that a fault names."""
    groups = sorted(set(targets.data_groups.values()))
    if len(groups) < 2:
        right = "data in two groups or more, such as with --split cluster-pathological"
        raise path.error("kind", fault.kind, right)
    if isinstance(fault.to, int) and fault.to not in groups:
        words = '"next"' if isinstance(fault, DriftFault) else '"same" or "next"'
        raise path.error("to", fault.to, f"one of {', '.join(map(str, groups))}, or {words}")


def _heal(fault: Fault, trigger: Trigger) -> HealAt:
    """Return the heal of an occurrence; rounds count from the round of its trigger."""
    if fault.heals_after_s is not None:
        return HealAfter(after_s=fault.heals_after_s)
    ending = fault.ending
    if ending.rounds is None:
        return HealNever()
    round_index = None if isinstance(trigger, AfterFault) else getattr(trigger, "round", None)
    if round_index is None:
        raise ValueError(f"{fault.id} heals by rounds, but its trigger has no round")
    return HealAtRound(round=round_index + ending.rounds)


def occurrence_generator(seed: int, fault_id: str, occurrence: int) -> np.random.Generator:
    """Return the generator of SeedSequence([seed, low, high, occurrence]).

    `low` and `high` are the 32-bit words of xxh3-64 of the fault's id in UTF-8.
    """
    digest = xxhash.xxh3_64_intdigest(fault_id.encode())
    words = [seed, digest & 0xFFFFFFFF, digest >> 32, occurrence]
    return np.random.default_rng(np.random.SeedSequence(words))
