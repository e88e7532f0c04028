"""The table [links] of a topology, and the graph that it describes.

Links are generated, listed, or read from a graph file, by networkx. A graph that is not connected,
or that names an unknown peer, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Self

import networkx as nx
from pydantic import Field, model_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.link_properties import LinkProperties
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told, no_such_file


class Generator(StrEnum):
    """How networkx generates the links. Comments name the parameters."""

    FULL = "full"
    RING = "ring"
    STAR = "star"
    K_REGULAR = "k-regular"  # degree
    SMALL_WORLD = "small-world"  # degree, rewire (Watts and Strogatz)
    ERDOS_RENYI = "erdos-renyi"  # probability


class LinksTable(LinkProperties):
    """The table [links]: a generator, a list of edges or a file. Links run both ways.

    Its `LinkProperties` apply to every link, in each direction.
    """

    generator: Generator | None = Field(None, description="Generate the links.")
    degree: int | None = Field(None, ge=1, description="Number of links of a peer.")
    rewire: float | None = Field(None, ge=0, le=1, description="Fraction of links rewired.")
    probability: float | None = Field(None, gt=0, le=1, description="Probability of each link.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the generator.")
    edges: list[tuple[str, str]] | None = Field(None, description="Or: pairs of peers.")
    file: str | None = Field(
        None, description="Or: a .graphml or .edgelist file, relative to the topology's folder."
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        ways = [key for key in ("generator", "edges", "file") if getattr(self, key) is not None]
        if not ways:
            right = f"one of {', '.join(Generator)}; or edges or file instead"
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


def graph_of(
    links: LinksTable, peer_ids: tuple[str, ...], drawn: nx.Graph | None, where: str
) -> nx.Graph:
    """Return the graph over `peer_ids`, frozen.

    Args:
        drawn: the graph that `read_graph` read, if links.file names one.
        where: the topology's file, for errors.

    Raises:
        ConfigError: an edge is wrong, or the graph is not connected.
    """
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
    """Return the edges. Refuse unknown peers, self-loops and pairs given twice."""
    known, seen = set(peer_ids), set[frozenset[str]]()
    for a, b in edges:
        for end in (a, b):
            if end not in known:
                raise ConfigError(where, key, end, one_of_peers(peer_ids))
        if a == b:
            raise ConfigError(where, key, (a, b), "two different peers")
        if frozenset((a, b)) in seen:
            raise ConfigError(where, key, (a, b), "every pair once; a link runs both ways")
        seen.add(frozenset((a, b)))
    return list(edges)


def read_graph(name: str, path: Path) -> nx.Graph:
    """Return the undirected graph in the file `name`, relative to the topology at `path`.

    Raises:
        ConfigError: there is no such file, it cannot be read, or its graph is directed.
    """
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
    generator: Generator, links: LinksTable, peer_ids: tuple[str, ...], where: str
) -> list[tuple[str, str]]:
    """Return the edges that the generator draws, as pairs of peers."""
    draw, _ = _GENERATORS[generator]
    try:
        graph = draw(len(peer_ids), links)
    except Misfit as error:
        raise ConfigError(where, f"links.{error.key}", error.value, error.right) from None
    return [(peer_ids[a], peer_ids[b]) for a, b in graph.edges()]


def _full(n: int, links: LinksTable) -> nx.Graph:
    return nx.complete_graph(n)


def _ring(n: int, links: LinksTable) -> nx.Graph:
    return nx.cycle_graph(n)


def _star(n: int, links: LinksTable) -> nx.Graph:
    """Return a star whose center is the first peer."""
    return nx.star_graph(n - 1)


def _k_regular(n: int, links: LinksTable) -> nx.Graph:
    degree = _degree(n, links)
    if n * degree % 2:
        raise Misfit("degree", degree, f"an even number, as {n} peers is odd")
    return nx.random_regular_graph(degree, n, seed=links.seed)


def _small_world(n: int, links: LinksTable) -> nx.Graph:
    degree = _degree(n, links)
    if degree % 2:
        raise Misfit("degree", degree, "an even number: half on each side of the ring")
    return nx.watts_strogatz_graph(n, degree, links.rewire, seed=links.seed)


def _erdos_renyi(n: int, links: LinksTable) -> nx.Graph:
    return nx.gnp_random_graph(n, links.probability, seed=links.seed)


def _degree(n: int, links: LinksTable) -> int:
    degree = links.degree or 0
    if degree >= n:
        raise Misfit("degree", degree, f"a number below the {n} peers")
    return degree


# Generator -> function that draws the graph of n peers, and the parameters that it needs.
_GENERATORS: dict[Generator, tuple[Callable[[int, LinksTable], nx.Graph], tuple[str, ...]]] = {
    Generator.FULL: (_full, ()),
    Generator.RING: (_ring, ()),
    Generator.STAR: (_star, ()),
    Generator.K_REGULAR: (_k_regular, ("degree",)),
    Generator.SMALL_WORLD: (_small_world, ("degree", "rewire")),
    Generator.ERDOS_RENYI: (_erdos_renyi, ("probability",)),
}


def one_of_peers(peer_ids: tuple[str, ...]) -> str:
    return f"one of the {len(peer_ids)} peers {peer_ids[0]} ... {peer_ids[-1]}"
