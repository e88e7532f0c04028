"""Resolve selectors of peers in a given network."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.scenario.selectors import Selector
from prisam_p2p.plan.graphs import one_of_peers
from prisam_p2p.plan.toml_file import Told, near


@dataclass(frozen=True, slots=True)
class KeyPath:
    """The file and key of a selector, for error messages."""

    where: str
    key: str

    def error(self, key: str, value: object, right: str) -> ConfigError:
        """Return the error for `key` in the selector, "" for the selector itself."""
        return ConfigError(self.where, ".".join(filter(None, (self.key, key))), value, right)


def resolve_peers(
    selector: Selector,
    targets: Targets,
    generator: np.random.Generator,
    path: KeyPath,
    taken: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the peers that match, ascending.

    Raises:
        ConfigError: a peer, group or profile that is named does not exist, or no peer matches.
    """
    return tuple(sorted(draw_peers(selector, targets, generator, path, taken)))


def draw_peers(
    selector: Selector,
    targets: Targets,
    generator: np.random.Generator,
    path: KeyPath,
    taken: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the peers that match, in the order drawn; ascending where nothing is drawn.

    Args:
        generator: pick and percent draw from it.
        taken: peers that are left out unless `ids` names them.
    """
    out = {*_known(selector.not_ or (), targets, path, "not")}
    if selector.ids is None:
        out |= set(taken)
    candidates = sorted(_among(selector, targets, path) - out)
    if not candidates:
        raise path.error("", Told("no peers"), "a selector that matches at least one peer")
    if selector.pick is None and selector.percent is None:
        return tuple(candidates)
    count = _count(selector, len(candidates), path)
    return tuple(candidates[i] for i in generator.permutation(len(candidates))[:count])


def share_of(percent: float, n: int) -> int:
    """Return `percent` of n, rounded half up, at least 1."""
    return max(1, math.floor(percent * n / 100 + 0.5))


def _count(selector: Selector, n: int, path: KeyPath) -> int:
    if selector.pick is None:
        return share_of(selector.percent or 0, n)
    if selector.pick > n:
        raise path.error("pick", selector.pick, f"at most the {n} peers to pick from")
    return selector.pick


def _among(selector: Selector, targets: Targets, path: KeyPath) -> set[str]:
    """Return the peers of `ids`, `data_group`, `role`, `profile` or `host`; all without one."""
    if selector.ids is not None:
        return {*_known(selector.ids, targets, path, "")}
    if selector.data_group is not None:
        return _in_group(selector.data_group, targets, path)
    if selector.profile is not None:
        return _of_profile(selector.profile, targets, path)
    if selector.host is not None:
        hosts = known_hosts(selector.host, targets, path, "host")
        return {*targets.on_hosts(hosts)}
    if selector.role is not None:
        found = targets.in_role(selector.role)
        if not found:
            raise path.error(
                "role", selector.role, f"a role that a peer has: none is a {selector.role}"
            )
        return {*found}
    return {*targets.peers}


def known_hosts(names: Sequence[str], targets: Targets, path: KeyPath, key: str) -> Sequence[str]:
    """Return the names; raise ConfigError where one is no host of this run that a peer lives on."""
    known = sorted(set(targets.hosts.values()))
    if not known:
        right = "no host: all peers of this run live on one; launch it with --on"
        raise path.error(key, ", ".join(names) or Told("hosts"), right)
    for name in names:
        if name not in known:
            raise path.error(key, name, f"a host of this run; {near(name, known)}")
    return names


def _known(peers: Sequence[str], targets: Targets, path: KeyPath, key: str) -> Sequence[str]:
    for peer in peers:
        if peer not in targets.peers:
            raise path.error(key, peer, one_of_peers(targets.peers))
    return peers


def _in_group(group: int, targets: Targets, path: KeyPath) -> set[str]:
    found = {peer for peer, each in targets.data_groups.items() if each == group}
    if not found:
        known = ", ".join(map(str, sorted(set(targets.data_groups.values()))))
        right = f"one of the groups {known}" if known else "no data_group: this split has none"
        raise path.error("data_group", group, right)
    return found


def _of_profile(profile: str, targets: Targets, path: KeyPath) -> set[str]:
    found = {peer for peer, each in targets.profiles.items() if each == profile}
    if not found:
        right = (
            f"the device profile of a peer; {near(profile, sorted(set(targets.profiles.values())))}"
        )
        raise path.error("profile", profile, right)
    return found
