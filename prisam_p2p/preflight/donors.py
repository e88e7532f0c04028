"""From how many peers a peer pulls weights: by what the algorithm declares, and settings. Pure.

Where clustering decides, nobody knows it before the run; the estimate is the peers heard that have
similar data, or the share of those heard that one of k clusters has.
"""

from __future__ import annotations

from math import ceil

from prisam_p2p.plan.plan import Plan
from prisam_p2p.preflight.declared import costs_of_algorithm, trial_rounds, tried_models
from prisam_p2p.settings import Grouping


def donors_of_a_round(plan: Plan, peer: str) -> int:
    """Return from how many peers `peer` pulls in one round, at most."""
    settings, pulls = plan.settings, costs_of_algorithm(plan).pulls
    if pulls == "nobody":
        return 0
    degree = len(peers_heard(plan, peer))
    if pulls == "all":
        return degree
    if pulls == "drawn":
        return min(degree, plan.fan_in)
    if pulls == "tried":
        return min(degree, tried_models(plan))
    if plan.traits.knows_groups:
        return len(alike_neighbors(plan, peer))
    if settings.grouping is Grouping.TOP_M:
        return min(degree, settings.top_m)
    of_a_cluster = ceil((degree + 1) / plan.clusters) - 1
    return min(degree, max(len(alike_neighbors(plan, peer)), of_a_cluster))


def donors_of_a_run(plan: Plan, peer: str) -> float:
    """Return from how many peers `peer` pulls at least once, as expected.

    To each of them it keeps a connection for weights, and their last weights on disk.
    """
    degree, each = len(peers_heard(plan, peer)), donors_of_a_round(plan, peer)
    pulls = costs_of_algorithm(plan).pulls
    if pulls in ("nobody", "all", "group") or each == degree:
        return each
    draws = trial_rounds(plan) if pulls == "tried" else plan.settings.rounds
    if not draws:
        return each
    return float(degree * (1 - (1 - each / degree) ** draws))


def alike_neighbors(plan: Plan, peer: str) -> list[str]:
    """Return the peers heard that are in the peer's group of the data; [] where there are none.

    Where data change, they are those of the round in which there are most.
    """
    near = [peer, *peers_heard(plan, peer)]
    if any(plan.peers[each].data_changes for each in near):
        groups = plan.data_groups(near)
        found = (groups.members_at(t, peer) for t in groups.moments())
        return [each for each in max(found, key=len) if each != peer]
    group = plan.peers[peer].group
    if group is None:
        return []
    return [each for each in peers_heard(plan, peer) if plan.peers[each].group == group]


def peers_heard(plan: Plan, peer: str) -> list[str]:
    """Return the peers whose masks a peer hears: its neighbors, and where masks are relayed, more.

    The neighbors come first, then those that are farther away.
    """
    neighbors = plan.peers[peer].neighbors
    if plan.settings.mask_hops == 1 or plan.traits.masks != "similarity":
        return neighbors
    heard, edge = dict.fromkeys(neighbors), neighbors
    for _ in range(plan.settings.mask_hops - 1):
        edge = [n for each in edge for n in plan.peers[each].neighbors if n not in heard]
        if not edge:
            break
        heard |= dict.fromkeys(edge)
    return [each for each in heard if each != peer]
