"""What lives on each host of a run, what it takes there, and what it exchanges with others. Pure.

What one peer costs, and so the memory, was measured on the launcher's host.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

from prisam_p2p.plan.host_room import HostRoom
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.plan import Plan
from prisam_p2p.preflight.counts import RunCounts
from prisam_p2p.preflight.donors import alike_neighbors, donors_of_a_round
from prisam_p2p.preflight.needs import offered_bytes

_AGENT_PROCESSES, _AGENT_THREADS = 2, 6
"""The agent, and the process that forks peers."""


@dataclass(frozen=True)
class HostShare:
    """The part of a run that lives on one host.

    Attributes:
        cores: sum of its peers' speed x threads; those of full speed take turns.
        offered_cores, offered_mib, offered_gpus: what the engine offers there.
        memory_mib: of its peers, its agent and the process that forks them.
        gpus: that its peers see.
        profiles: device profile -> number of peers.
        links_within, links_across: links between two of its peers, and to peers of other hosts.
        pulled_bytes: about what its peers pull from other hosts in a round: weights.
        processes, threads: with those of the agent.
        peer_files: most descriptors of any of its peers.
    """

    name: str
    node: str
    cores: float
    offered_cores: int
    memory_mib: int
    offered_mib: int
    gpus: int
    offered_gpus: int
    peers: int
    profiles: dict[str, int]
    links_within: int
    links_across: int
    pulled_bytes: int
    processes: int
    threads: int
    peer_files: int


def host_shares(plan: Plan, counts: RunCounts) -> list[HostShare]:
    """Return what lives on each host of a plan, in the order of the hosts; [] without hosts."""
    hosts = plan.hosts
    if hosts is None:
        return []
    return [_share(plan, hosts, name, counts) for name in hosts.hosts]


def _share(plan: Plan, hosts: HostsPlan, name: str, counts: RunCounts) -> HostShare:
    here, offer = hosts.peers_of(name), hosts.hosts[name]
    room = HostRoom(offer, hosts.base_mib)
    for peer in here:
        room.take(hosts.needs[peer])
    silent, own = plan.traits.silent, set(here)
    ends = [] if silent else [n in own for peer in here for n in plan.peers[peer].neighbors]
    return HostShare(
        name=name,
        node=offer.node,
        cores=round(room.cores, 2),
        offered_cores=offer.cores,
        memory_mib=ceil(room.used_mib),
        offered_mib=offer.memory_mib,
        gpus=len({gpu for peer in here for gpu in hosts.gpus.get(peer, ())}),
        offered_gpus=offer.gpus,
        peers=len(here),
        profiles=dict(sorted(Counter(plan.peers[peer].profile.name for peer in here).items())),
        links_within=sum(ends) // 2,
        links_across=len(ends) - sum(ends),
        pulled_bytes=round(sum(_pulled_across(plan, peer, own) for peer in here)),
        processes=len(here) + _AGENT_PROCESSES,
        threads=ceil(counts.threads / counts.peers * len(here)) + _AGENT_THREADS,
        peer_files=counts.peer_files,
    )


def _pulled_across(plan: Plan, peer: str, own: set[str]) -> float:
    """Return about how many bytes of weights a peer pulls from other hosts in a round.

    Where masks or groups decide, its donors are taken to be the neighbors with similar data.
    """
    donors = donors_of_a_round(plan, peer)
    neighbors = plan.peers[peer].neighbors
    if plan.traits.clusters or plan.traits.knows_groups:
        neighbors = alike_neighbors(plan, peer) or neighbors
    if not neighbors:
        return 0.0
    across = sum(neighbor not in own for neighbor in neighbors) / len(neighbors)
    return donors * across * offered_bytes(plan)
