"""A topology made in Python from a networkx graph, for `launch`."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.scenario.scenario import scenario_from
from prisam_p2p.plan.link_properties import LinkProperties
from prisam_p2p.plan.profile import is_path
from prisam_p2p.plan.toml_file import Told
from prisam_p2p.plan.topology import PEER_ID, load_topology
from prisam_p2p.python_api.html import paragraphs
from prisam_p2p.python_api.request import plain
from prisam_p2p.python_api.toml_text import toml_text

if TYPE_CHECKING:
    import networkx

_LINK_KEYS = tuple(LinkProperties.model_fields)
_WHERE, _FAULTS = "pp.topology", "faults"
_DEFAULT_PROFILES = ("server-core",)


@dataclass(frozen=True, repr=False)
class NetworkOfGraph:
    """A network that `launch` takes in place of a topology's name. It is valid.

    Attributes:
        name: names runs, as a file's name does.
        toml: the topology's file.
        faults_toml: the scenario's file, None without faults of its own.
        peers: node of the graph -> id of its peer.
    """

    name: str
    toml: str
    faults_toml: str | None
    peers: Mapping[Any, str]

    def __repr__(self) -> str:
        return f"<topology {self.name}: {len(self.peers)} peers>\n{self.toml}"

    def _repr_html_(self) -> str:
        return paragraphs([f"topology {self.name}: {len(self.peers)} peers"])


def topology(
    graph: networkx.Graph,
    *,
    profiles: Sequence[str | os.PathLike[str]] | Mapping[str, int] = _DEFAULT_PROFILES,
    faults: Sequence[Mapping[str, Any]] = (),
    hosts: Mapping[str, Any] | None = None,
    name: str = "graph",
) -> NetworkOfGraph:
    """Return a network of the peers and links of an undirected networkx graph.

    Nodes that are valid ids of peers (letters a-z, digits, "-", "_") name them; otherwise the nodes
    are numbered in the graph's order, and the peers are p00, p01, ... The attributes rate_mbit_s,
    delay_ms, jitter_ms and loss of an edge are those of the link, in both directions. The attribute
    `profile` of a node is its device profile.

    Args:
        profiles: names or paths of device profiles, assigned to the sorted peers in turn; or name
            -> number of peers, spread evenly.
        faults: tables of a scenario, as [[fault]] in a file has them (docs/faults.md).
        hosts: the table [hosts] of a topology (docs/hosts.md): how peers are placed where `launch`
            gets on=.., such as {"peers": {"p00": "h1"}}.
        name: what the topology is called in the run.

    Raises:
        ConfigError: this is no network that can run, or no profile, or no fault.
    """
    if graph.is_directed() or graph.is_multigraph():
        right = "an undirected networkx.Graph; a link runs both ways"
        raise ConfigError(_WHERE, "graph", Told(type(graph).__name__), right)
    if not name or Path(name).name != name or name != name.strip():
        raise ConfigError(_WHERE, "name", name, "a name that a file can have")
    peers = _named(graph)
    tables = _tables(graph, peers, profiles) | ({"hosts": dict(hosts)} if hosts else {})
    text = toml_text(tables)
    _check(name, text)
    return NetworkOfGraph(name, text, scenario_text(faults, name) if faults else None, peers)


def scenario_text(faults: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the file of a scenario of these faults.

    Raises:
        ConfigError: one of them is wrong.
    """
    tables = {"description": f"faults of {name}", "fault": [dict(each) for each in faults]}
    scenario_from(tables, name, _FAULTS)
    return toml_text(tables)


def _named(graph: networkx.Graph) -> dict[Any, str]:
    """Return node -> id of its peer."""
    if all(isinstance(node, str) and re.match(PEER_ID, node) for node in graph):
        return {node: node for node in graph}
    digits = max(2, len(str(len(graph) - 1)))
    return {node: f"p{index:0{digits}d}" for index, node in enumerate(graph)}


def _tables(
    graph: networkx.Graph,
    peers: Mapping[Any, str],
    profiles: Sequence[str | os.PathLike[str]] | Mapping[str, int],
) -> dict[str, Any]:
    """Return the tables of the topology's file."""
    if isinstance(profiles, Mapping):
        assigned: dict[str, Any] = {"counts": {_profile(k): n for k, n in profiles.items()}}
    else:
        assigned = {"profiles": [*map(_profile, profiles)]}
    own = {peers[n]: _profile(p) for n, p in graph.nodes(data="profile") if p is not None}
    links = [
        {
            "from": peers[a],
            "to": peers[b],
            **{key: plain(key, data[key]) for key in _LINK_KEYS if key in data},
        }
        for a, b, data in graph.edges(data=True)
        if data.keys() & set(_LINK_KEYS)
    ]
    return {
        "description": f"made in Python from a graph of {len(peers)} nodes",
        "peers": {"ids": [*peers.values()], **assigned, **({"exceptions": own} if own else {})},
        "links": {"edges": [[peers[a], peers[b]] for a, b in graph.edges()]},
        **({"link": links} if links else {}),
    }


def _profile(name: str | os.PathLike[str]) -> str:
    """Return the name of a profile; a path from the current folder as an absolute one."""
    text = os.fspath(name)
    return str(Path(text).absolute()) if is_path(text) else text


def _check(name: str, toml: str) -> None:
    """Load the file as a run will; errors name what made it, not the file."""
    with tempfile.TemporaryDirectory(prefix="prisam-") as folder:
        path = Path(folder) / f"{name}.toml"
        path.write_text(toml, encoding="utf-8")
        try:
            load_topology(path)
        except ConfigError as error:
            where = _WHERE if error.where == str(path) else error.where
            raise ConfigError(where, error.key, error.value, error.right) from None
