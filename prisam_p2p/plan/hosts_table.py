"""The table [hosts] of a topology: how peers are placed where a run has several hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import model_validator as validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.host_room import HostOffer
from prisam_p2p.plan.toml_file import Misfit, near
from prisam_p2p.settings import Placement

HOST_NAME = r"^[a-z0-9_-]{1,32}$"

HostName = Annotated[str, StringConstraints(pattern=HOST_NAME)]


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


SomeHosts = Annotated[list[HostName], BeforeValidator(_one_or_more), Field(min_length=1)]
"""A host, or a list of hosts."""


class HostsTable(BaseModel):
    """The table [hosts].

    A peer that several tables name goes where `peers` says, else where `profiles` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Placement | None = Field(None, description="group, spread or pin; as --placement.")
    count: int | None = Field(None, ge=1, le=1000, description="Number of hosts; as --hosts.")
    names: dict[HostName, str] = Field(
        {}, description="Name -> node, as the engine calls it. These nodes are used first."
    )
    peers: dict[str, SomeHosts] = Field({}, description="Peer -> host, or a list of hosts.")
    profiles: dict[str, SomeHosts] = Field({}, description="Device profile -> host or hosts.")
    groups: dict[str, SomeHosts] = Field({}, description="Data group (0, 1, ..) -> host or hosts.")

    @validator(mode="after")
    def _pins_fit_the_policy(self) -> Self:
        if self.policy not in (None, Placement.PIN) and (pins := self._tables()):
            right = f"pin, as the table {pins[0]} pins peers to hosts"
            raise Misfit("policy", str(self.policy), right)
        if self.policy is Placement.PIN and not self._tables():
            right = "another policy, or a table peers, profiles or groups beside it"
            raise Misfit("policy", str(self.policy), right)
        for node, times in Counter(self.names.values()).items():
            if times > 1:
                raise Misfit("names", node, "every node once")
        return self

    @property
    def default_policy(self) -> Placement:
        """The policy where the command line gives none."""
        return self.policy or (Placement.PIN if self._tables() else Placement.SPREAD)

    def pins(
        self, profiles: Mapping[str, str], groups: Mapping[str, int | None], where: str
    ) -> dict[str, tuple[str, ...]]:
        """Return peer -> the hosts that it may live on, for the peers that are pinned.

        Args:
            profiles: peer -> name of its device profile, for all peers.
            groups: peer -> its data group; None where the split has none.
            where: the topology's file, for errors.

        Raises:
            ConfigError: a table names a peer, a profile or a group that there is not.
        """
        known = {str(group) for group in groups.values() if group is not None}
        _check_known(self.peers, profiles, where, "hosts.peers", "a peer")
        _check_known(self.profiles, set(profiles.values()), where, "hosts.profiles", "a profile")
        _check_known(self.groups, known, where, "hosts.groups", "a data group")
        found = {}
        for peer, profile in profiles.items():
            by_group = self.groups.get(str(groups[peer]))
            hosts = self.peers.get(peer) or self.profiles.get(profile) or by_group
            if hosts:
                found[peer] = tuple(hosts)
        return found

    def _tables(self) -> list[str]:
        return [name for name in ("peers", "profiles", "groups") if getattr(self, name)]


def chosen_hosts(
    offers: Sequence[HostOffer],
    count: int | None,
    names: Mapping[str, str],
    option: tuple[str, str],
    where: str,
) -> list[HostOffer]:
    """Return the hosts to use: first those that `names` names, then the engine's next ones.

    Args:
        count: of hosts to use; None = all.
        names: host -> node.
        option: file (or option) and key that give the count, for errors.
        where: the topology's file, for errors.

    Raises:
        ConfigError: too few hosts are offered, or none is a node that `names` names.
    """
    if count is not None and count > len(offers):
        offered = ", ".join(each.node for each in offers)
        raise ConfigError(*option, count, f"at most the {len(offers)} that are offered: {offered}")
    by_node = {each.node: each for each in offers}
    for name, node in names.items():
        if node not in by_node:
            right = f"a node that is offered; {near(node, by_node)}"
            raise ConfigError(where, f"hosts.names.{name}", node, right)
    named = [replace(by_node[node], name=name) for name, node in names.items()]
    others = [each for each in offers if each.node not in set(names.values())]
    found = [*named, *others][:count]
    for name, times in Counter(each.name for each in found).items():
        if times > 1:
            right = "a name that no other host has: the engine's are h1, h2, .."
            raise ConfigError(where, "hosts.names", name, right)
    return found


def check_pins(
    pins: Mapping[str, Sequence[str]], hosts: Iterable[HostOffer], where: str
) -> dict[str, tuple[str, ...]]:
    """Return the pins; raise ConfigError where one names a host that is not used."""
    known = [each.name for each in hosts]
    for peer, names in pins.items():
        for name in names:
            if name not in known:
                right = f"a host of this run, {len(known)} in all; {near(name, known)}"
                raise ConfigError(where, f"hosts ({peer})", name, right)
    return {peer: tuple(names) for peer, names in pins.items()}


def _check_known(
    table: Mapping[str, object], known: Iterable[str], where: str, key: str, what: str
) -> None:
    known = sorted(known)
    for name in table:
        if name not in known:
            right = f"{what} of this run; {near(name, known)}" if known else f"none: no {what} here"
            raise ConfigError(where, key, name, right)
