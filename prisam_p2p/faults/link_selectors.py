"""From a selector of links, or the sides of a partition, to directed links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from prisam_p2p.faults.cast import Cast
from prisam_p2p.faults.models.links import PartitionFault
from prisam_p2p.faults.selector_forms import LinkSelector, Selector
from prisam_p2p.faults.selectors import Place, resolve_peers
from prisam_p2p.plan.link_properties import Link
from prisam_p2p.plan.toml_file import Told


def resolve_links(
    selector: LinkSelector,
    cast: Cast,
    generator: np.random.Generator,
    place: Place,
    one_way: bool = False,
) -> tuple[Link, ...]:
    """Return the directed links that are meant, ascending.

    Args:
        one_way: only from the first to the second of `between`, only away from `of`.

    Raises:
        ConfigError: a peer or link that is named does not exist, or no link is meant.
    """
    if selector.names is not None:
        return _ascending(link for name in selector.names for link in _named(name, cast, place))
    if selector.between is not None:
        first, second = (
            {*resolve_peers(each, cast, generator, Place(place.where, f"{place.key}.between[{i}]"))}
            for i, each in enumerate(selector.between)
        )
        found = _from_to(first, second, cast, one_way)
    elif selector.of is not None:
        peers = resolve_peers(selector.of, cast, generator, Place(place.where, f"{place.key}.of"))
        found = links_of(peers, cast, one_way)
    else:
        found = cast.links
    if not found:
        raise place.error("", Told("no links"), "a selector that means at least one link")
    return _ascending(found)


def links_of(peers: Iterable[str], cast: Cast, one_way: bool = False) -> tuple[Link, ...]:
    """Return the links with an end among the peers; one way: those that begin there."""
    ends = set(peers)
    return tuple((a, b) for a, b in cast.links if a in ends or (b in ends and not one_way))


def resolve_sides(
    partition: PartitionFault, cast: Cast, generator: np.random.Generator, place: Place
) -> list[tuple[str, ...]]:
    """Return the peers of each side, ascending; a peer may be on none.

    A side that is not a list of names takes from the peers that no earlier side has.

    Raises:
        ConfigError: a peer is on two sides, a side is empty, or the data has no two groups.
    """
    if partition.groups is None:
        return _data_groups(cast, place)
    sides: list[tuple[str, ...]] = []
    for i, selector in enumerate(partition.groups):
        earlier = {peer for side in sides for peer in side}
        at = Place(place.where, f"{place.key}.groups[{i}]")
        sides.append(_side(selector, cast, generator, at, earlier))
    return sides


def links_between(sides: Sequence[Sequence[str]], cast: Cast, one_way: bool) -> tuple[Link, ...]:
    """Return the links between different sides; one way: from a side to a later one only."""
    side = {peer: i for i, peers in enumerate(sides) for peer in peers}
    return tuple(
        (a, b)
        for a, b in cast.links
        if a in side and b in side and (side[a] < side[b] or (side[a] > side[b] and not one_way))
    )


def _side(
    selector: Selector,
    cast: Cast,
    generator: np.random.Generator,
    place: Place,
    earlier: set[str],
) -> tuple[str, ...]:
    peers = resolve_peers(selector, cast, generator, place, earlier)
    twice = sorted(earlier & set(peers))
    if twice:
        raise place.error("", twice[0], "every peer on one side")
    return peers


def _data_groups(cast: Cast, place: Place) -> list[tuple[str, ...]]:
    groups = sorted(set(cast.data_groups.values()))
    if len(groups) < 2:
        right = f"groups: the data of this run has {len(groups)} groups"
        raise place.error("sides.data_groups", True, right)
    members = cast.data_groups.items()
    return [tuple(sorted(peer for peer, each in members if each == g)) for g in groups]


def _named(name: str, cast: Cast, place: Place) -> list[Link]:
    """Return the links of "a->b" or "a-b"; peers' names may have hyphens in them."""
    if "->" in name:
        a, b = name.split("->", 1)
        return (
            [(a.strip(), b.strip())] if (a.strip(), b.strip()) in cast.links else _no(name, place)
        )
    cuts = (i for i, letter in enumerate(name) if letter == "-")
    pairs = [(name[:i].strip(), name[i + 1 :].strip()) for i in cuts]
    known = [(a, b) for a, b in pairs if (a, b) in cast.links]
    if len(known) > 1:
        raise place.error("", name, 'one pair of peers: write "a->b" and "b->a"')
    return [known[0], known[0][::-1]] if known else _no(name, place)


def _no(name: str, place: Place) -> list[Link]:
    raise place.error("", name, "a link of this network, its ends two linked peers")


def _from_to(first: set[str], second: set[str], cast: Cast, one_way: bool) -> tuple[Link, ...]:
    return tuple(
        (a, b)
        for a, b in cast.links
        if (a in first and b in second) or (not one_way and a in second and b in first)
    )


def _ascending(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(set(links)))
