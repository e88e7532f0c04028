"""The peers, links, data groups, profiles, roles and hosts that a scenario may name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import networkx as nx

from prisam_p2p.faults.scenario.selectors import Role
from prisam_p2p.plan.link_properties import Link
from prisam_p2p.plan.topology import Topology


@dataclass(frozen=True, slots=True)
class Targets:
    """What the selectors of a scenario can match.

    Attributes:
        peers: in the order of the run.
        links: directed, sorted.
        data_groups: peer -> its group in the data; empty where the split has none.
        profiles: peer -> the name of its device profile.
        hosts: peer -> the host that it lives on; {} where all live on the launcher's.
    """

    peers: tuple[str, ...]
    links: tuple[Link, ...]
    data_groups: Mapping[str, int]
    profiles: Mapping[str, str]
    hosts: Mapping[str, str] = field(default_factory=dict)

    def on_hosts(self, hosts: Collection[str]) -> tuple[str, ...]:
        """Return the peers that live on these hosts, ascending."""
        return tuple(sorted(peer for peer, host in self.hosts.items() if host in hosts))

    def in_role(self, role: Role) -> frozenset[str]:
        """Return the hubs (of the highest degree), leaves (degree 1) or bridges of the network.

        A bridge is a peer without which the network falls apart (an articulation point).
        """
        return _in_role(self.peers, self.links, role)


def targets_of(
    topology: Topology,
    data_groups: Mapping[str, int | None],
    hosts: Mapping[str, str] | None = None,
) -> Targets:
    """Return the targets of a topology.

    Args:
        data_groups: peer -> its group in the data; None where the split has no groups.
        hosts: peer -> the host that it lives on; None = all live on the launcher's.
    """
    edges = list(topology.graph.edges)
    return Targets(
        peers=topology.peer_ids,
        links=tuple(sorted([*edges, *((b, a) for a, b in edges)])),
        data_groups={peer: group for peer, group in data_groups.items() if group is not None},
        profiles={peer: profile.name for peer, profile in topology.profiles.items()},
        hosts=hosts or {},
    )


@lru_cache(maxsize=8)
def _in_role(peers: tuple[str, ...], links: tuple[Link, ...], role: Role) -> frozenset[str]:
    graph = nx.Graph()
    graph.add_nodes_from(peers)
    graph.add_edges_from(links)
    if role == "bridge":
        return frozenset(nx.articulation_points(graph))
    degrees = dict(graph.degree)
    wanted = max(degrees.values()) if role == "hub" else 1
    return frozenset(peer for peer, degree in degrees.items() if degree == wanted)
