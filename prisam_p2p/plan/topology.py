"""Topologies: who is in the network, on which device, linked to whom, and the run's settings.

A TOML file in topologies/ with the tables [peers], [links], [[link]] and [run].
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
from prisam_p2p.plan.graphs import Links, a_peer, graph_of, read_graph
from prisam_p2p.plan.link_properties import Link, LinkState, LinkTable, link_states
from prisam_p2p.plan.profile import DeviceProfile, is_path, load_profile
from prisam_p2p.plan.toml_file import (
    MISSING,
    Misfit,
    Told,
    load_toml,
    validate,
)
from prisam_p2p.settings import RunSettings

PEER_ID = r"^[a-z0-9_-]{1,32}$"
RESERVED = frozenset({"launcher", "kernel"})
"""Journals of these names are not a peer's."""

PeerId = Annotated[str, StringConstraints(pattern=PEER_ID)]


class Peers(BaseModel):
    """The table [peers]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int | None = Field(None, ge=2, le=10_000, description="Peers, named p00, p01, ...")
    ids: list[PeerId] | None = Field(None, min_length=2, description="Or: their names.")
    profiles: list[str] | None = Field(
        None, min_length=1, description="Device profiles, dealt in turn to the sorted peers."
    )
    counts: dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        None, min_length=1, description="Or: how many peers have each, spread evenly over them."
    )
    exceptions: dict[str, str] = Field({}, description="Peer -> device profile, the last word.")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.count is not None and self.ids is not None:
            raise Misfit("count", self.count, "either count or ids, not both")
        if self.profiles is not None and self.counts is not None:
            raise Misfit("counts", Told("a table"), "either profiles or counts, not both")
        if self.profiles is None and self.counts is None:
            raise Misfit("profiles", MISSING, "a list of device profiles, or a table counts")
        for peer in RESERVED & set(self.ids or ()):
            raise Misfit("ids", peer, "another name: that journal is the launcher's")
        for peer, times in Counter(self.ids).items():
            if times > 1:
                raise Misfit("ids", peer, "every peer once")
        return self


class TopologyFile(BaseModel):
    """A topology as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    peers: Peers
    links: Links
    link: list[LinkTable] = []
    run: RunSettings = RunSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """A network, checked: connected, no peer linked to itself.

    Attributes:
        name: the file's name without .toml.
        path: the file.
        description: what it is, for people.
        peer_ids: sorted; a cluster split's groups are blocks of this order.
        profiles: peer -> its device.
        graph: networkx.Graph over the peers, frozen; an edge is a link each way.
        run: the settings that the file states, by their names in RunSettings, validated.
        links: directed link -> what it is like, but for those between whose ends nothing is.
    """

    name: str
    path: Path
    description: str
    peer_ids: tuple[str, ...]
    profiles: Mapping[str, DeviceProfile]
    graph: nx.Graph
    run: Mapping[str, object]
    links: Mapping[Link, LinkState] = field(default_factory=dict)


def load_topology(path: Path, peers_folder: Path) -> Topology:
    """Return the topology in the file at `path`; profiles are names in `peers_folder` or paths.

    Raises:
        ConfigError: the file, a file that it names, or the network they describe is wrong.
    """
    file = load_toml(path, TopologyFile)
    drawn = read_graph(file.links.file, path) if file.links.file is not None else None
    peer_ids = _peer_ids(file.peers, drawn, path)
    graph = graph_of(file.links, peer_ids, drawn, str(path))
    names = _dealt(file.peers, peer_ids, str(path))
    loaded = {name: _profile(name, path, peers_folder) for name in sorted(set(names.values()))}
    return Topology(
        name=path.stem,
        path=path,
        description=file.description,
        peer_ids=peer_ids,
        profiles={peer: loaded[name] for peer, name in names.items()},
        graph=graph,
        run={key: getattr(file.run, key) for key in sorted(file.run.model_fields_set)},
        links=link_states(file.links, file.link, graph, str(path)),
    )


def resolve_settings(topology: Topology, overrides: Mapping[str, object]) -> RunSettings:
    """Return the run's settings: the defaults, under [run], under the command line.

    Args:
        topology: its [run] holds over the defaults.
        overrides: setting -> value given on the command line; None is: not given.

    Raises:
        ConfigError: an override is wrong; it is named as its option (--images-per-peer).
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return validate({**topology.run, **given}, RunSettings, "the command line")
    except ConfigError as error:
        option = f"--{error.key.replace('_', '-')}"
        raise ConfigError(option, "", error.value, error.right) from None


def _peer_ids(peers: Peers, drawn: nx.Graph | None, path: Path) -> tuple[str, ...]:
    """Return the sorted peers: as given, else as many as counted, else the graph file's nodes."""
    if peers.ids is not None:
        return tuple(sorted(peers.ids))
    if peers.count is not None:
        digits = max(2, len(str(peers.count - 1)))
        return tuple(f"p{index:0{digits}d}" for index in range(peers.count))
    if drawn is None:
        raise ConfigError(str(path), "peers.count", MISSING, "a number of peers, or a list ids")
    return validate({"nodes": sorted(drawn)}, _Nodes, str(path)).nodes


class _Nodes(BaseModel):
    """The nodes of a graph file, as peers."""

    nodes: tuple[PeerId, ...] = Field(min_length=2)


def _dealt(peers: Peers, peer_ids: tuple[str, ...], where: str) -> dict[str, str]:
    """Return peer -> name of its profile."""
    for peer in peers.exceptions:
        if peer not in peer_ids:
            raise ConfigError(where, "peers.exceptions", peer, a_peer(peer_ids))
    deck = itertools.cycle(peers.profiles or _spread(peers.counts or {}))
    total = sum((peers.counts or {}).values())
    if peers.counts and total != len(peer_ids):
        right = f"counts that add up to the {len(peer_ids)} peers"
        raise ConfigError(where, "peers.counts", Told(f"{total} in all"), right)
    return {**dict(zip(peer_ids, deck, strict=False)), **peers.exceptions}


def _spread(counts: Mapping[str, int]) -> list[str]:
    """Return the names, each as often as counted, each spread evenly over the whole."""
    places = [((i + 0.5) / n, name) for name, n in counts.items() for i in range(n)]
    return [name for _, name in sorted(places, key=lambda place: place[0])]


def _profile(name: str, path: Path, peers_folder: Path) -> DeviceProfile:
    """Return a profile by its name, or by its path from the topology's folder."""
    beside = str(path.parent / name) if is_path(name) else name
    return load_profile(beside, peers_folder, named_in=(str(path), "peers.profiles"))
