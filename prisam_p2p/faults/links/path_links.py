"""Connections between peers that have no link: each is as the links on its path are. Pure.

Where masks are relayed, a peer pulls from peers that are no neighbors. The emulated network has no
link for that, so the connection gets the state of a path: its links' delays and jitters add up, the
slowest rate holds, and a packet that any link would lose is lost. Of several paths the one with the
least delay counts, of these the one with the fewest links. While no path is up, no packet passes.
docs/network.md, "Connections beyond neighbors".
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from prisam_p2p.faults.links.link_effects import combined
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

NO_PATH = LinkState(cut="drop")


class PathLinks:
    """The pairs of peers that may be connected without a link, and their states.

    Args:
        links: directed; all of the run's.
        hops: the most links between two peers that connect; 1 = only neighbors do.

    Attributes:
        there_are: whether others than neighbors connect.
    """

    def __init__(self, links: Iterable[Link], hops: int) -> None:
        self._links, self._hops = frozenset(links), hops
        self.there_are = hops > 1

    def states(self, of_links: Mapping[Link, LinkState]) -> dict[Link, LinkState]:
        """Return (from, to) -> state, of each pair whose state is not clear.

        Args:
            of_links: states of links; a link that is not named is clear.
        """
        if not self.there_are or all(state == CLEAR for state in of_links.values()):
            return {}
        ways = _ways(self._links, of_links)
        found = {}
        for sender, receivers in self._pairs.items():
            paths = _paths_from(sender, ways)
            for receiver in receivers:
                path = paths.get(receiver)
                state = (
                    NO_PATH if path is None else combined([of_links.get(x, CLEAR) for x in path])
                )
                if state != CLEAR:
                    found[sender, receiver] = state
        return found

    @cached_property
    def _pairs(self) -> dict[str, list[str]]:
        """Peer -> those within the hops that are no neighbors."""
        near: dict[str, list[str]] = {}
        for sender, receiver in sorted(self._links):
            near.setdefault(sender, []).append(receiver)
        return {peer: _beyond(peer, near, self._hops) for peer in near}


def _beyond(peer: str, near: Mapping[str, Sequence[str]], hops: int) -> list[str]:
    """Return the peers 2 to `hops` links away, ascending."""
    seen, edge = {peer}, {peer}
    for _ in range(hops):
        edge = {other for each in edge for other in near.get(each, ())} - seen
        seen |= edge
        if not edge:
            break
    return sorted(seen - {peer, *near.get(peer, ())})


def _ways(
    links: Iterable[Link], states: Mapping[Link, LinkState]
) -> dict[str, list[tuple[float, str]]]:
    """Return sender -> (delay in ms, receiver) of each of its links that is up."""
    ways: dict[str, list[tuple[float, str]]] = {}
    for sender, receiver in sorted(links):
        state = states.get((sender, receiver), CLEAR)
        if state.cut is None:
            ways.setdefault(sender, []).append((state.delay_ms, receiver))
    return ways


def _paths_from(
    sender: str, ways: Mapping[str, Sequence[tuple[float, str]]]
) -> dict[str, list[Link]]:
    """Return receiver -> the links of its best path, in Dijkstra's way; ties go by name."""
    best: dict[str, list[Link]] = {}
    heap: list[tuple[float, int, str, list[Link]]] = [(0.0, 0, sender, [])]
    while heap:
        delay_ms, n_links, at, path = heapq.heappop(heap)
        if at in best:
            continue
        best[at] = path
        for more_ms, to in ways.get(at, ()):
            if to not in best:
                heapq.heappush(heap, (delay_ms + more_ms, n_links + 1, to, [*path, (at, to)]))
    return best
