"""From a selector to the peers that it means in a given network."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.cast import Cast
from prisam_p2p.faults.selector_forms import Selector
from prisam_p2p.plan.graphs import a_peer
from prisam_p2p.plan.toml_file import Told, near


@dataclass(frozen=True, slots=True)
class Place:
    """Where a selector stands: what a ConfigError begins with."""

    where: str
    key: str

    def error(self, key: str, value: object, right: str) -> ConfigError:
        """Return the error for `key` in the selector, "" for the selector itself."""
        return ConfigError(self.where, ".".join(filter(None, (self.key, key))), value, right)


def resolve_peers(
    selector: Selector,
    cast: Cast,
    generator: np.random.Generator,
    place: Place,
    taken: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the peers that are meant, ascending.

    Raises:
        ConfigError: a peer, group or profile that is named does not exist, or nobody is meant.
    """
    return tuple(sorted(draw_peers(selector, cast, generator, place, taken)))


def draw_peers(
    selector: Selector,
    cast: Cast,
    generator: np.random.Generator,
    place: Place,
    taken: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the peers that are meant, in the order drawn; ascending where nothing is drawn.

    Args:
        generator: pick and percent draw from it; nothing else does.
        taken: peers that are left out, unless they are named.
    """
    out = {*_known(selector.not_ or (), cast, place, "not")}
    if selector.ids is None:
        out |= set(taken)
    candidates = sorted(_among(selector, cast, place) - out)
    if not candidates:
        raise place.error("", Told("nobody"), "a selector that means at least one peer")
    if selector.pick is None and selector.percent is None:
        return tuple(candidates)
    count = _count(selector, len(candidates), place)
    return tuple(candidates[i] for i in generator.permutation(len(candidates))[:count])


def share_of(percent: float, n: int) -> int:
    """Return `percent` of n, rounded half up, at least 1."""
    return max(1, math.floor(percent * n / 100 + 0.5))


def _count(selector: Selector, n: int, place: Place) -> int:
    if selector.pick is None:
        return share_of(selector.percent or 0, n)
    if selector.pick > n:
        raise place.error("pick", selector.pick, f"at most the {n} peers to pick from")
    return selector.pick


def _among(selector: Selector, cast: Cast, place: Place) -> set[str]:
    """Return whom `ids`, `data_group`, `role` or `profile` means; without one, all."""
    if selector.ids is not None:
        return {*_known(selector.ids, cast, place, "")}
    if selector.data_group is not None:
        return _in_group(selector.data_group, cast, place)
    if selector.profile is not None:
        return _of_profile(selector.profile, cast, place)
    if selector.role is not None:
        found = cast.in_role(selector.role)
        if not found:
            raise place.error(
                "role", selector.role, f"a role that a peer has: none is a {selector.role}"
            )
        return {*found}
    return {*cast.peers}


def _known(peers: Sequence[str], cast: Cast, place: Place, key: str) -> Sequence[str]:
    for peer in peers:
        if peer not in cast.peers:
            raise place.error(key, peer, a_peer(cast.peers))
    return peers


def _in_group(group: int, cast: Cast, place: Place) -> set[str]:
    found = {peer for peer, each in cast.data_groups.items() if each == group}
    if not found:
        known = ", ".join(map(str, sorted(set(cast.data_groups.values()))))
        right = f"one of the groups {known}" if known else "no data_group: this split has none"
        raise place.error("data_group", group, right)
    return found


def _of_profile(profile: str, cast: Cast, place: Place) -> set[str]:
    found = {peer for peer, each in cast.profiles.items() if each == profile}
    if not found:
        right = (
            f"the device profile of a peer; {near(profile, sorted(set(cast.profiles.values())))}"
        )
        raise place.error("profile", profile, right)
    return found
