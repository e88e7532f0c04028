"""Resolve selectors of hosts to the hosts of a run, and to the links that leave them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.compiler.resolve_peers import KeyPath, known_hosts
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.fault_plan import FaultPlan, Occurrence
from prisam_p2p.faults.scenario.selectors import HostSelector
from prisam_p2p.plan.link_properties import Link


def resolve_hosts(
    selector: HostSelector, targets: Targets, generator: np.random.Generator, path: KeyPath
) -> tuple[str, ...]:
    """Return the hosts that match, in the order of their names, or in the order drawn.

    Raises:
        ConfigError: the run has no hosts, or not those; or no host would be left.
    """
    hosts = sorted(set(targets.hosts.values()))
    left_out = known_hosts(selector.not_ or (), targets, path, "not")
    if selector.ids is not None:
        found = tuple(dict.fromkeys(known_hosts(selector.ids, targets, path, "")))
        key, value = "", ", ".join(found)
    else:
        candidates = [host for host in hosts if host not in left_out]
        key, value, count = "pick", str(selector.pick), selector.pick or 1
        if count > len(candidates):
            raise path.error(key, count, f"at most the {len(candidates)} hosts to pick from")
        drawn = generator.permutation(len(candidates))[:count]
        found = tuple(candidates[i] for i in drawn)
    if len(found) == len(hosts):
        raise path.error(key, value, f"fewer than the {len(hosts)} hosts of this run")
    return found


def links_leaving(hosts: Collection[str], targets: Targets, one_way: bool) -> tuple[Link, ...]:
    """Return the links between a peer on these hosts and one on another host than its own.

    Args:
        one_way: only those out of these hosts.
    """
    at = targets.hosts
    return tuple(
        (a, b)
        for a, b in targets.links
        if at[a] != at[b] and (at[a] in hosts or (at[b] in hosts and not one_way))
    )


def check_hosts(
    plan: FaultPlan, targets: Targets, where: str, left: Collection[str] | None = None
) -> None:
    """Check that the faults of hosts in a plan that was compiled before hit the hosts of this run.

    Args:
        where: the plan's file, for errors.
        left: ids of the occurrences that are still to happen; None = all.

    Raises:
        ConfigError: other peers live on a host than when the plan was compiled.
    """
    for each in plan.occurrences:
        if left is not None and each.id not in left:
            continue
        hosts = each.parameters.get("hosts")
        if isinstance(hosts, list) and not _is_of_hosts(each, [*map(str, hosts)], targets):
            names = " and ".join(map(str, hosts))
            right = (
                f"a run in which the same peers live on {names} as when the faults were compiled; "
                "a scenario in place of the faults.json is compiled anew"
            )
            raise ConfigError(where, each.id, each.kind, right)


def _is_of_hosts(each: Occurrence, hosts: Sequence[str], targets: Targets) -> bool:
    there = targets.on_hosts(hosts)
    if each.traits.on_links:
        one_way = bool(each.parameters.get("one_way"))
        return bool(there) and set(links_leaving(hosts, targets, one_way)) == set(each.links)
    n_meant = len(each.peers) + each.already_down + each.cut_to_fit
    return set(there) >= set(each.peers) and len(there) == n_meant
