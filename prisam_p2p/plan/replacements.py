"""Devices that leave for good, and others that take their places: ids, stays and links. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import networkx as nx

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.link_properties import Link, LinkState
from prisam_p2p.plan.topology import Topology

To = int | Literal["same", "next"]
"""The data group of a newcomer; "same" is that of the device that leaves."""
LONGEST_ID = 32
"""Characters that the id of a peer may have (`PEER_ID`)."""


@dataclass(frozen=True)
class Turnover:
    """One occurrence of a fault that replaces devices.

    Attributes:
        fault: id of the occurrence.
        round: the old devices leave, and the new ones come, before its training.
        places: the peers of the topology whose places change hands.
        to: the data group of the new devices.
    """

    fault: str
    round: int
    places: tuple[str, ...]
    to: To


@dataclass(frozen=True)
class Replacement:
    """`comes` takes the place of `leaves` before the training of a round.

    Attributes:
        place: the peer of the topology whose place it was at first.
    """

    fault: str
    round: int
    place: str
    leaves: str
    comes: str
    to: To


def replacements(asked: Sequence[Turnover], where: str, peers: Sequence[str]) -> list[Replacement]:
    """Return who takes whose place, by round ascending; newcomers of p07 are p07-1, p07-2, ..

    A place changes hands once in a round: of several turnovers the first one in `asked` does it.

    Args:
        where: names the scenario in errors.
        peers: of the topology.

    Raises:
        ConfigError: the id of a newcomer is too long, or a peer has it already; or the round is 0.
    """
    holders, numbers = {peer: peer for peer in peers}, dict.fromkeys(peers, 0)
    last_round: dict[str, int] = {}
    found = []
    for each in sorted(asked, key=lambda turnover: turnover.round):
        if each.round < 1:
            raise ConfigError(where, each.fault, each.round, "round 1 or later: none was there yet")
        for place in sorted(each.places):
            if last_round.get(place) == each.round:
                continue
            last_round[place] = each.round
            numbers[place] += 1
            comes = f"{place}-{numbers[place]}"
            if comes in numbers or len(comes) > LONGEST_ID:
                right = f"an id of at most {LONGEST_ID} characters that no peer has, such as p07-1"
                raise ConfigError(where, each.fault, comes, right)
            found.append(Replacement(each.fault, each.round, place, holders[place], comes, each.to))
            holders[place] = comes
    return found


@dataclass(frozen=True)
class Stay:
    """A peer is there from a round until another one, which is excluded; None = the run's end."""

    first: int
    end: int | None = None

    def overlaps(self, other: Stay) -> bool:
        """Tell whether there is a round in which both are there."""
        return _before(self.first, other.end) and _before(other.first, self.end)


def stays_of(peers: Sequence[str], found: Sequence[Replacement]) -> dict[str, Stay]:
    """Return peer -> its stay, of the peers of the topology and of newcomers."""
    stays = dict.fromkeys(peers, Stay(0))
    for each in sorted(found, key=lambda replacement: replacement.round):
        stays[each.leaves] = replace(stays[each.leaves], end=each.round)
        stays[each.comes] = Stay(each.round)
    return stays


def with_newcomers(topology: Topology, found: Sequence[Replacement]) -> Topology:
    """Return the topology with newcomers beside all others.

    A newcomer has the device profile of the peer whose place it takes, and that place's links, with
    their properties, to every device that holds a neighboring place while it is there. So no peer
    is linked to one that it never meets.
    """
    stays, holders = stays_of(topology.peer_ids, found), _holders(topology, found)
    graph, links = nx.Graph(), dict[Link, LinkState]()
    graph.add_nodes_from(sorted(stays))
    for one, other in topology.graph.edges:
        for a in holders[one]:
            for b in holders[other]:
                if stays[a].overlaps(stays[b]):
                    graph.add_edge(a, b)
                    links |= _states(topology.links, (one, other), (a, b))
    profiles = {peer: topology.profiles[place] for place, each in holders.items() for peer in each}
    return replace(
        topology,
        peer_ids=tuple(sorted(stays)),
        profiles=dict(sorted(profiles.items())),
        graph=nx.freeze(graph),
        links=dict(sorted(links.items())),
    )


def _holders(topology: Topology, found: Sequence[Replacement]) -> Mapping[str, list[str]]:
    """Return place -> the devices that hold it, one after the other."""
    holders: dict[str, list[str]] = defaultdict(list)
    for peer in topology.peer_ids:
        holders[peer].append(peer)
    for each in found:
        holders[each.place].append(each.comes)
    return holders


def _states(states: Mapping[Link, LinkState], place: Link, now: Link) -> dict[Link, LinkState]:
    """Return the states of a place's link, in both directions, under the names of its holders."""
    both = ((place, now), (place[::-1], now[::-1]))
    return {(b[0], b[1]): states[a[0], a[1]] for a, b in both if (a[0], a[1]) in states}


def _before(first: int, end: int | None) -> bool:
    return end is None or first < end
