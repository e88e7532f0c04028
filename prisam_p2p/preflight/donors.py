"""From how many peers a peer pulls weights: by the algorithm's traits and settings. Pure.

Where clustering decides, nobody knows it before the run; the estimate is the peers heard that have
similar data, or the share of those heard that one of k clusters has.
"""

from __future__ import annotations

from math import ceil

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.plan.plan import Plan
from prisam_p2p.settings import Grouping

_TRIED_FOR_EACH = 5
"""Models that pens tries for each that it averages (peer/baselines/pens.py)."""


def donors_of_a_round(plan: Plan, peer: str) -> int:
    """Return from how many peers `peer` pulls in one round, at most."""
    settings, degree = plan.settings, len(peers_heard(plan, peer))
    algorithm, traits = settings.algorithm, plan.traits
    if traits.silent:
        return 0
    if algorithm in (Algorithm.D_PSGD, Algorithm.D_PSGD_FT, Algorithm.EXACT_SIMILARITY):
        return degree
    if traits.knows_groups:
        return len(alike_neighbors(plan, peer))
    if algorithm is Algorithm.PENS:
        return min(degree, settings.pens_sampled or _TRIED_FOR_EACH * plan.fan_in)
    if not traits.clusters:  # a user's algorithm may pull from all
        return min(degree, plan.fan_in) if isinstance(algorithm, Algorithm) else degree
    if settings.grouping is Grouping.TOP_M:
        return min(degree, settings.top_m)
    of_a_cluster = ceil((degree + 1) / plan.clusters) - 1
    return min(degree, max(len(alike_neighbors(plan, peer)), of_a_cluster))


def donors_of_a_run(plan: Plan, peer: str) -> float:
    """Return from how many peers `peer` pulls at least once, as expected.

    To each of them it keeps a connection for weights, and their last weights on disk.
    """
    settings, degree = plan.settings, len(peers_heard(plan, peer))
    each = donors_of_a_round(plan, peer)
    if plan.traits.silent or each == degree:
        return each
    draws = 0
    if settings.algorithm is Algorithm.PENS:
        draws = settings.rounds // 2 if settings.pens_rounds is None else settings.pens_rounds
    elif not (plan.traits.clusters or plan.traits.knows_groups):
        draws = settings.rounds
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
