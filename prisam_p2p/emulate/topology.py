"""Topologies: who is in the network, on which device, linked to whom, and the run's settings.

A TOML file in topologies/ with the tables [peers], [links] and [run].
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from prisam_p2p.emulate.profile import DeviceProfile, is_path, load_profile
from prisam_p2p.emulate.toml_file import (
    MISSING,
    Misfit,
    Told,
    load_toml,
    no_such_file,
    validate,
)
from prisam_p2p.errors import ConfigError
from prisam_p2p.settings import RunSettings

PEER_ID = r"^[a-z0-9_-]{1,32}$"
PeerId = Annotated[str, StringConstraints(pattern=PEER_ID)]


class Generator(StrEnum):
    """How networkx draws the links; the names that follow are the parameters."""

    FULL = "full"
    RING = "ring"
    STAR = "star"
    K_REGULAR = "k-regular"  # degree
    SMALL_WORLD = "small-world"  # degree, rewire (Watts and Strogatz)
    ERDOS_RENYI = "erdos-renyi"  # probability


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
        for peer, times in Counter(self.ids).items():
            if times > 1:
                raise Misfit("ids", peer, "every peer once")
        return self


class Links(BaseModel):
    """The table [links]: a generator, a list of edges or a file; links run both ways."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generator: Generator | None = Field(None, description="Draw the links.")
    degree: int | None = Field(None, ge=1, description="Links of a peer.")
    rewire: float | None = Field(None, ge=0, le=1, description="Share of links that are moved.")
    probability: float | None = Field(None, gt=0, le=1, description="Chance that a link is there.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the generator.")
    edges: list[tuple[str, str]] | None = Field(None, description="Or: pairs of peers.")
    file: str | None = Field(
        None, description="Or: a .graphml or .edgelist file, its path from the topology's folder."
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        ways = [key for key in ("generator", "edges", "file") if getattr(self, key) is not None]
        if not ways:
            right = f"one of {', '.join(Generator)}; or edges, or file, in its place"
            raise Misfit("generator", MISSING, right)
        if len(ways) > 1:
            raise Misfit(ways[1], getattr(self, ways[1]), f"no {ways[1]} beside {ways[0]}")
        return self

    @model_validator(mode="after")
    def _parameters_of_the_generator(self) -> Self:
        _, needed = _GENERATORS[self.generator] if self.generator else (None, ())
        for key in ("degree", "rewire", "probability"):
            value = getattr(self, key)
            if key in needed and value is None:
                raise Misfit(key, MISSING, f"a number: {self.generator} needs it")
            if key not in needed and value is not None:
                raise Misfit(key, value, f"no {key}: {self.generator or 'a given graph'} has none")
        return self


class TopologyFile(BaseModel):
    """A topology as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    peers: Peers
    links: Links
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
    """

    name: str
    path: Path
    description: str
    peer_ids: tuple[str, ...]
    profiles: Mapping[str, DeviceProfile]
    graph: nx.Graph
    run: Mapping[str, object]


def load_topology(path: Path, peers_folder: Path) -> Topology:
    """Return the topology in the file at `path`; profiles are names in `peers_folder` or paths.

    Raises:
        ConfigError: the file, a file that it names, or the network they describe is wrong.
    """
    file = load_toml(path, TopologyFile)
    drawn = _read_graph(file.links.file, path) if file.links.file is not None else None
    peer_ids = _peer_ids(file.peers, drawn, path)
    graph = _graph(file.links, peer_ids, drawn, str(path))
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


# --- peers ---


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
            raise ConfigError(where, "peers.exceptions", peer, _a_peer(peer_ids))
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


def _a_peer(peer_ids: tuple[str, ...]) -> str:
    return f"one of the {len(peer_ids)} peers {peer_ids[0]} ... {peer_ids[-1]}"


# --- links ---


def _graph(links: Links, peer_ids: tuple[str, ...], drawn: nx.Graph | None, where: str) -> nx.Graph:
    """Return the frozen graph over `peer_ids`, connected, or raise ConfigError."""
    graph = nx.Graph()
    graph.add_nodes_from(peer_ids)
    if links.generator is not None:
        graph.add_edges_from(_generated(links.generator, links, peer_ids, where))
        key, value = "links.generator", Told(links.generator)
    elif drawn is not None:
        graph.add_edges_from(_checked(drawn.edges(), peer_ids, where, "links.file"))
        key, value = "links.file", Told(str(links.file))
    else:
        graph.add_edges_from(_checked(links.edges or [], peer_ids, where, "links.edges"))
        key, value = "links.edges", Told(f"{len(links.edges or [])} edges")
    if not nx.is_connected(graph):
        parts = sorted((sorted(part) for part in nx.connected_components(graph)), key=len)
        right = (
            f"a connected graph: this one falls into {len(parts)} components, {parts[0][0]} is in "
            f"the smallest ({len(parts[0])} of {len(peer_ids)} peers); more links or another seed"
        )
        raise ConfigError(where, key, value, right)
    return nx.freeze(graph)


def _checked(
    edges: Iterable[tuple[str, str]], peer_ids: tuple[str, ...], where: str, key: str
) -> list[tuple[str, str]]:
    """Return the edges: between known and different peers, no pair twice."""
    known, seen = set(peer_ids), set[frozenset[str]]()
    for a, b in edges:
        for end in (a, b):
            if end not in known:
                raise ConfigError(where, key, end, _a_peer(peer_ids))
        if a == b:
            raise ConfigError(where, key, (a, b), "two different peers")
        if frozenset((a, b)) in seen:
            raise ConfigError(where, key, (a, b), "every pair once; a link runs both ways")
        seen.add(frozenset((a, b)))
    return list(edges)


def _read_graph(name: str, path: Path) -> nx.Graph:
    """Return the undirected graph in the file `name` beside the topology at `path`."""
    file, where, key = path.parent / name, str(path), "links.file"
    readers = {".graphml": nx.read_graphml, ".edgelist": nx.read_edgelist}
    if file.suffix not in readers:
        raise ConfigError(where, key, name, f"a file that ends in {' or '.join(readers)}")
    if not file.is_file():
        raise no_such_file(where, key, file)
    try:
        graph = readers[file.suffix](file)
    except Exception as error:  # the readers raise many types on a broken file
        reason = " ".join(str(error).split())
        raise ConfigError(where, key, name, f"a readable {file.suffix} file: {reason}") from None
    if graph.is_directed():
        raise ConfigError(where, key, name, "an undirected graph; a link runs both ways")
    return graph


def _generated(
    generator: Generator, links: Links, peer_ids: tuple[str, ...], where: str
) -> list[tuple[str, str]]:
    """Return the edges that the generator draws, between peers in place of numbers."""
    draw, _ = _GENERATORS[generator]
    try:
        graph = draw(len(peer_ids), links)
    except Misfit as error:
        raise ConfigError(where, f"links.{error.key}", error.value, error.right) from None
    return [(peer_ids[a], peer_ids[b]) for a, b in graph.edges()]


def _full(n: int, links: Links) -> nx.Graph:
    return nx.complete_graph(n)


def _ring(n: int, links: Links) -> nx.Graph:
    return nx.cycle_graph(n)


def _star(n: int, links: Links) -> nx.Graph:
    """Return the star with the first peer in the middle."""
    return nx.star_graph(n - 1)


def _k_regular(n: int, links: Links) -> nx.Graph:
    degree = _degree(n, links)
    if n * degree % 2:
        raise Misfit("degree", degree, f"an even number: {n} peers is odd")
    return nx.random_regular_graph(degree, n, seed=links.seed)


def _small_world(n: int, links: Links) -> nx.Graph:
    degree = _degree(n, links)
    if degree % 2:
        raise Misfit("degree", degree, "an even number: half on each side of the ring")
    return nx.watts_strogatz_graph(n, degree, links.rewire, seed=links.seed)


def _erdos_renyi(n: int, links: Links) -> nx.Graph:
    return nx.gnp_random_graph(n, links.probability, seed=links.seed)


def _degree(n: int, links: Links) -> int:
    degree = links.degree or 0
    if degree >= n:
        raise Misfit("degree", degree, f"a number below the {n} peers")
    return degree


# Generator -> what draws n peers, and the parameters that it needs.
_GENERATORS: dict[Generator, tuple[Callable[[int, Links], nx.Graph], tuple[str, ...]]] = {
    Generator.FULL: (_full, ()),
    Generator.RING: (_ring, ()),
    Generator.STAR: (_star, ()),
    Generator.K_REGULAR: (_k_regular, ("degree",)),
    Generator.SMALL_WORLD: (_small_world, ("degree", "rewire")),
    Generator.ERDOS_RENYI: (_erdos_renyi, ("probability",)),
}
