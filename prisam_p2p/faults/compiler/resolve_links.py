"""Resolve selectors of links, and the sides of a partition, to directed links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from prisam_p2p.faults.compiler.resolve_peers import KeyPath, resolve_peers
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.scenario.link_faults import PartitionFault
from prisam_p2p.faults.scenario.selectors import LinkSelector, Selector
from prisam_p2p.plan.link_properties import Link
from prisam_p2p.plan.toml_file import Told


def resolve_links(
    selector: LinkSelector,
    targets: Targets,
    generator: np.random.Generator,
    path: KeyPath,
    one_way: bool = False,
) -> tuple[Link, ...]:
    """Return the directed links that match, ascending.

    Args:
        one_way: only links from the first to the second of `between`, or out of `of`.

    Raises:
        ConfigError: a peer or link that is named does not exist, or no link matches.
    """
    if selector.names is not None:
        return _ascending(link for name in selector.names for link in _named(name, targets, path))
    if selector.between is not None:
        first, second = (
            {
                *resolve_peers(
                    each,
                    targets,
                    generator,
                    KeyPath(path.where, f"{path.key}.between[{i}]"),
                )
            }
            for i, each in enumerate(selector.between)
        )
        found = _from_to(first, second, targets, one_way)
    elif selector.of is not None:
        peers = resolve_peers(
            selector.of, targets, generator, KeyPath(path.where, f"{path.key}.of")
        )
        found = links_of(peers, targets, one_way)
    else:
        found = targets.links
    if not found:
        raise path.error("", Told("no links"), "a selector that matches at least one link")
    return _ascending(found)


def links_of(peers: Iterable[str], targets: Targets, one_way: bool = False) -> tuple[Link, ...]:
    """Return the links with an end among the peers; one way: only those out of them."""
    ends = set(peers)
    return tuple((a, b) for a, b in targets.links if a in ends or (b in ends and not one_way))


def resolve_sides(
    partition: PartitionFault, targets: Targets, generator: np.random.Generator, path: KeyPath
) -> list[tuple[str, ...]]:
    """Return the peers of each side, ascending; a peer may be on no side.

    A side that is not a list of names contains no peer of an earlier side.

    Raises:
        ConfigError: a peer is on two sides, a side is empty, or the data have one group only.
    """
    if partition.groups is None:
        return _data_groups(targets, path)
    sides: list[tuple[str, ...]] = []
    for i, selector in enumerate(partition.groups):
        earlier = {peer for side in sides for peer in side}
        at = KeyPath(path.where, f"{path.key}.groups[{i}]")
        sides.append(_side(selector, targets, generator, at, earlier))
    return sides


def links_between(
    sides: Sequence[Sequence[str]], targets: Targets, one_way: bool
) -> tuple[Link, ...]:
    """Return the links between sides; one way: only from a side to a later one."""
    side = {peer: i for i, peers in enumerate(sides) for peer in peers}
    return tuple(
        (a, b)
        for a, b in targets.links
        if a in side and b in side and (side[a] < side[b] or (side[a] > side[b] and not one_way))
    )


def _side(
    selector: Selector,
    targets: Targets,
    generator: np.random.Generator,
    path: KeyPath,
    earlier: set[str],
) -> tuple[str, ...]:
    peers = resolve_peers(selector, targets, generator, path, earlier)
    twice = sorted(earlier & set(peers))
    if twice:
        raise path.error("", twice[0], "every peer on one side")
    return peers


def _data_groups(targets: Targets, path: KeyPath) -> list[tuple[str, ...]]:
    groups = sorted(set(targets.data_groups.values()))
    if len(groups) < 2:
        right = f"groups: the data of this run has {len(groups)} groups"
        raise path.error("sides.data_groups", True, right)
    members = targets.data_groups.items()
    return [tuple(sorted(peer for peer, each in members if each == g)) for g in groups]


def _named(name: str, targets: Targets, path: KeyPath) -> list[Link]:
    """Return the links of "a->b" or "a-b"; names of peers may contain hyphens."""
    if "->" in name:
        a, b = name.split("->", 1)
        return (
            [(a.strip(), b.strip())]
            if (a.strip(), b.strip()) in targets.links
            else _refuse(name, path)
        )
    cuts = (i for i, letter in enumerate(name) if letter == "-")
    pairs = [(name[:i].strip(), name[i + 1 :].strip()) for i in cuts]
    known = [(a, b) for a, b in pairs if (a, b) in targets.links]
    if len(known) > 1:
        raise path.error("", name, 'one pair of peers: write "a->b" and "b->a"')
    return [known[0], known[0][::-1]] if known else _refuse(name, path)


def _refuse(name: str, path: KeyPath) -> list[Link]:
    raise path.error("", name, "a link of this network")


def _from_to(
    first: set[str], second: set[str], targets: Targets, one_way: bool
) -> tuple[Link, ...]:
    return tuple(
        (a, b)
        for a, b in targets.links
        if (a in first and b in second) or (not one_way and a in second and b in first)
    )


def _ascending(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(set(links)))
