"""Topologies: the peers of a network, their devices, their links, and settings of the run.

A topology is a TOML file with the tables [peers], [links], [[link]], [hosts] and [run].
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.graphs import LinksTable, graph_of, one_of_peers, read_graph
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.hosts_table import HostsTable
from prisam_p2p.plan.link_properties import Link, LinkOverride, LinkState, link_states
from prisam_p2p.plan.profile import DeviceProfile, is_path, load_profile
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told, load_toml, validate
from prisam_p2p.settings import RunSettings

PEER_ID = r"^[a-z0-9_-]{1,32}$"
RESERVED, RESERVED_PREFIX = frozenset({"launcher", "kernel"}), "kernel-"
"""Names of journals that do not belong to a peer; those of hosts' kernels begin with the prefix."""

PeerId = Annotated[str, StringConstraints(pattern=PEER_ID)]


class PeersTable(BaseModel):
    """The table [peers]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int | None = Field(None, ge=2, le=10_000, description="PeersTable, named p00, p01, ...")
    ids: list[PeerId] | None = Field(None, min_length=2, description="Or: their ids.")
    profiles: list[str] | None = Field(
        None, min_length=1, description="Device profiles, assigned to the sorted peers in turn."
    )
    counts: dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        None, min_length=1, description="Or: profile -> number of peers, spread evenly."
    )
    exceptions: dict[str, str] = Field({}, description="Peer -> profile; overrides the others.")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.count is not None and self.ids is not None:
            raise Misfit("count", self.count, "either count or ids, not both")
        if self.profiles is not None and self.counts is not None:
            raise Misfit("counts", Told("a table"), "either profiles or counts, not both")
        if self.profiles is None and self.counts is None:
            raise Misfit("profiles", MISSING, "a list of device profiles, or a table counts")
        for peer in self.ids or ():
            if peer in RESERVED or peer.startswith(RESERVED_PREFIX):
                raise Misfit("ids", peer, "another id: the launcher writes a journal of that name")
        for peer, times in Counter(self.ids).items():
            if times > 1:
                raise Misfit("ids", peer, "every peer once")
        return self


class TopologyFile(BaseModel):
    """The contents of a topology's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    peers: PeersTable
    links: LinksTable
    link: list[LinkOverride] = []
    hosts: HostsTable = HostsTable()
    run: RunSettings = RunSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """A valid network: connected, and no peer is linked to itself.

    Attributes:
        name: the file's name without .toml.
        path: the file.
        description: a line for people.
        peer_ids: sorted; the groups of a cluster split are blocks in this order.
        profiles: peer -> its device profile.
        graph: frozen networkx.Graph over the peers; an edge is a link in both directions.
        run: setting -> value, for the settings that the file gives; validated.
        links: directed link -> state, for links with a rate, delay, jitter or loss.
        hosts: the table of that name.
        hosts_before: of an earlier run, whose plan.json this topology is from.
    """

    name: str
    path: Path
    description: str
    peer_ids: tuple[str, ...]
    profiles: Mapping[str, DeviceProfile]
    graph: nx.Graph
    run: Mapping[str, object]
    links: Mapping[Link, LinkState] = field(default_factory=dict)
    hosts: HostsTable = field(default_factory=HostsTable)
    hosts_before: HostsPlan | None = None


def load_topology(path: Path) -> Topology:
    """Return the topology in the file at `path`.

    Raises:
        ConfigError: the file, a file that it names, or the network that they describe is wrong.
    """
    file = load_toml(path, TopologyFile)
    drawn = read_graph(file.links.file, path) if file.links.file is not None else None
    peer_ids = _peer_ids(file.peers, drawn, path)
    graph = graph_of(file.links, peer_ids, drawn, str(path))
    names = _profile_names(file.peers, peer_ids, str(path))
    loaded = {name: _load_profile(name, path) for name in sorted(set(names.values()))}
    return Topology(
        name=path.stem,
        path=path,
        description=file.description,
        peer_ids=peer_ids,
        profiles={peer: loaded[name] for peer, name in names.items()},
        graph=graph,
        run={key: getattr(file.run, key) for key in sorted(file.run.model_fields_set)},
        links=link_states(file.links, file.link, graph, str(path)),
        hosts=file.hosts,
    )


def resolve_settings(topology: Topology, overrides: Mapping[str, object]) -> RunSettings:
    """Return the settings of a run.

    Args:
        topology: its [run] overrides the defaults.
        overrides: setting -> value of the command line, which overrides [run]; None = not given.

    Raises:
        ConfigError: an override is wrong; the error names its option (--images-per-peer).
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return validate({**topology.run, **given}, RunSettings, "the command line")
    except ConfigError as error:
        option = f"--{error.key.replace('_', '-')}"
        raise ConfigError(option, "", error.value, error.right) from None


def _peer_ids(peers: PeersTable, drawn: nx.Graph | None, path: Path) -> tuple[str, ...]:
    """Return the sorted ids: those given, or p00, p01, .., or the nodes of the graph file."""
    if peers.ids is not None:
        return tuple(sorted(peers.ids))
    if peers.count is not None:
        digits = max(2, len(str(peers.count - 1)))
        return tuple(f"p{index:0{digits}d}" for index in range(peers.count))
    if drawn is None:
        raise ConfigError(str(path), "peers.count", MISSING, "a number of peers, or a list ids")
    return validate({"nodes": sorted(drawn)}, _Nodes, str(path)).nodes


class _Nodes(BaseModel):
    """The nodes of a graph file, checked as ids of peers."""

    nodes: tuple[PeerId, ...] = Field(min_length=2)


def _profile_names(peers: PeersTable, peer_ids: tuple[str, ...], where: str) -> dict[str, str]:
    """Return peer -> name of its device profile."""
    for peer in peers.exceptions:
        if peer not in peer_ids:
            raise ConfigError(where, "peers.exceptions", peer, one_of_peers(peer_ids))
    names = itertools.cycle(peers.profiles or _spread_evenly(peers.counts or {}))
    total = sum((peers.counts or {}).values())
    if peers.counts and total != len(peer_ids):
        right = f"counts that add up to the {len(peer_ids)} peers"
        raise ConfigError(where, "peers.counts", Told(f"{total} in all"), right)
    return {**dict(zip(peer_ids, names, strict=False)), **peers.exceptions}


def _spread_evenly(counts: Mapping[str, int]) -> list[str]:
    """Return a list with each name as often as counted, spread evenly over the list."""
    places = [((i + 0.5) / n, name) for name, n in counts.items() for i in range(n)]
    return [name for _, name in sorted(places, key=lambda place: place[0])]


def _load_profile(name: str, path: Path) -> DeviceProfile:
    """Return the profile of this name, or in the file at this path from the topology's folder."""
    beside = str(path.parent / name) if is_path(name) else name
    return load_profile(beside, named_in=(str(path), "peers.profiles"))
