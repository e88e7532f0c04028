"""The peers, links, data groups, profiles and roles of a network that a scenario may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """

    peers: tuple[str, ...]
    links: tuple[Link, ...]
    data_groups: Mapping[str, int]
    profiles: Mapping[str, str]

    def in_role(self, role: Role) -> frozenset[str]:
        """Return the hubs (of the highest degree), leaves (degree 1) or bridges of the network.

        A bridge is a peer without which the network falls apart (an articulation point).
        """
        return _in_role(self.peers, self.links, role)


def targets_of(topology: Topology, data_groups: Mapping[str, int | None]) -> Targets:
    """Return the targets of a topology; `data_groups` holds None where the split has no groups."""
    edges = list(topology.graph.edges)
    return Targets(
        peers=topology.peer_ids,
        links=tuple(sorted([*edges, *((b, a) for a, b in edges)])),
        data_groups={peer: group for peer, group in data_groups.items() if group is not None},
        profiles={peer: profile.name for peer, profile in topology.profiles.items()},
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
