"""The plan of a run: everything that decides it. plan.json holds it, and can be run again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import networkx as nx
from pydantic import BaseModel, ConfigDict

from prisam_p2p.algorithms import Traits, built_in
from prisam_p2p.core.participation import Participation, participants
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.learn.dataset_pools import InputType
from prisam_p2p.plan.data_groups import DataGroups, data_groups
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.link_properties import Link, LinkProperties, LinkState, states_from_names
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.plan.toml_file import validate
from prisam_p2p.plan.topology import PEER_ID, Topology
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.host import HostFacts

SCHEMA = 1
_OF_GROUPS = {"group", "data_changes", "arrival", "leaves"}


class DataChange(BaseModel):
    """Other images that a peer gets during the run.

    Attributes:
        round: they are its data from the beginning of this round's training on.
        group: the data group of most of them.
        classes: training and validation images per class.
        fault: id of the fault that gives them; "" = what one took away comes back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    round: int
    group: int
    classes: list[int]
    fault: str = ""


class Arrival(BaseModel):
    """A device that takes the place of another one during the run.

    Attributes:
        round: it is there from the beginning of this round's training on.
        replaces: the peer that leaves then.
        fault: id of the fault that replaces it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    round: int
    replaces: str
    fault: str


class PeerPlan(BaseModel):
    """One peer of a plan.

    Attributes:
        least_prune_ratio: the smallest ratio of the grid that fits the device's budgets.
        parameters, n_bytes, macs: of the slim model at `prune_ratio`.
        group: the peer's group in the data at the beginning, None where the split has no groups
            (`data_groups.py` tells the group of a round).
        classes: training and validation images per class, at the beginning.
        data_changes: by round ascending.
        arrival: None = it is there from the beginning.
        leaves: the round before whose training another device takes its place; None = none does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: DeviceProfile
    neighbors: list[str]
    prune_ratio: float
    least_prune_ratio: float
    parameters: int
    n_bytes: int
    macs: int
    group: int | None
    classes: list[int]
    data_changes: list[DataChange] = []
    arrival: Arrival | None = None
    leaves: int | None = None


class ModelPlan(BaseModel):
    """The dense model, which budgets given as shares refer to, and how it scales images.

    Attributes:
        image_shape: of one input; (C, H, W) of an image.
        mean, std: per channel; a pixel in [0, 1] becomes (pixel - mean) / std. () = inputs are
            taken as they are.
        dtype: of inputs, "float32" or "int64".
        mask_layers: (name, bits) of each channel set, in the order of a mask's bits; () in plans
            of earlier versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_classes: int
    image_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    parameters: int
    n_bytes: int
    macs: int
    bn_channels: int
    mask_bits: int
    dtype: InputType = "float32"
    mask_layers: tuple[tuple[str, int], ...] = ()


class Plan(BaseModel):
    """Everything that decides a run.

    Attributes:
        topology: name of the topology; its peers and links are in `peers`.
        similarity_ratio: prune ratio of the announced masks, common to all peers.
        clusters: k of K-means.
        links: "FROM->TO" -> properties of that directed link; the others have no limits.
        fan_in: models that a baseline averages in a round, where it draws or ranks peers.
        traits: of the algorithm.
        code: setting -> the users' code that it names.
        hosts: which peer lives on which host; None = all on the launcher's, without agents.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    topology: str
    settings: RunSettings
    model: ModelPlan
    similarity_ratio: float
    clusters: int
    fan_in: int = 1
    peers: dict[str, PeerPlan]
    links: dict[str, LinkProperties] = {}
    host: HostFacts
    traits: Traits
    code: dict[str, CodeRecord] = {}
    hosts: HostsPlan | None = None

    def directed_links(self) -> list[Link]:
        """Return all links in both directions, sorted."""
        return sorted((peer, n) for peer, plan in self.peers.items() for n in plan.neighbors)

    def data_groups(self, among: Iterable[str] | None = None) -> DataGroups:
        """Return the data groups in each round, of all peers or of those `among` which to look."""
        peers = self.peers if among is None else {peer: self.peers[peer] for peer in among}
        found = {peer: each.model_dump(include=_OF_GROUPS) for peer, each in peers.items()}
        return data_groups({"peers": found})

    def participation(self) -> Participation:
        """Return who takes part in which round."""
        s = self.settings
        return Participation(
            self.peers, participants(s.participation, len(self.peers)), s.seed, s.rounds
        )

    def without_changes(self) -> Plan:
        """Return the plan of a run in which all peers stay, and keep their data."""
        plan = self.at_one_time()
        kept: dict[str, object] = {"data_changes": [], "leaves": None}
        peers = {p: each.model_copy(update=kept) for p, each in plan.peers.items()}
        return plan.model_copy(update={"peers": peers})

    def place_of(self, peer: str) -> str:
        """Return the peer of the topology whose place a device has; it may be the device itself."""
        while (arrival := self.peers[peer].arrival) is not None:
            peer = arrival.replaces
        return peer

    def degree(self, peer: str) -> int:
        """Return how many neighbors a peer has at a time: devices follow each other in a place."""
        return len({self.place_of(neighbor) for neighbor in self.peers[peer].neighbors})

    def at_one_time(self) -> Plan:
        """Return the plan of the devices at the beginning: as many are there at any time."""
        there = {p for p, each in self.peers.items() if each.arrival is None}
        if len(there) == len(self.peers):
            return self
        return self._only(there)

    def _only(self, there: set[str]) -> Plan:
        peers = {
            p: each.model_copy(update={"neighbors": [n for n in each.neighbors if n in there]})
            for p, each in self.peers.items()
            if p in there
        }
        links = {name: x for name, x in self.links.items() if there.issuperset(name.split("->"))}
        return self.model_copy(update={"peers": peers, "links": links})

    def link_states(self) -> dict[Link, LinkState]:
        """Return the state of each link in `links`.

        Raises:
            ConfigError: a name in `links` is not a link between neighbors.
        """
        return states_from_names(self.links, self.directed_links(), "plan.json")


def read_plan(path: Path) -> Plan:
    """Return the plan in a run folder's plan.json.

    Raises:
        ConfigError: the file is missing, or is not a plan of this version.
    """
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), "", "no JSON", f"the plan.json of a run: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), "", type(data).__name__, "the plan.json of a run")
    return validate(_with_traits(data), Plan, str(path))


def _with_traits(data: dict[str, Any]) -> dict[str, Any]:
    """Add the traits to a plan of an earlier version, whose algorithm is a built-in one."""
    settings = data.get("settings")
    name = settings.get("algorithm") if isinstance(settings, dict) else None
    found = built_in(name) if isinstance(name, str) else None
    return {"traits": asdict(found.traits), **data} if found else data


def topology_of(plan: Plan, path: Path) -> Topology:
    """Return the topology of an earlier run, with the plan's settings as its [run].

    Devices that come during the run are no part of it: the faults of the run bring them.

    Args:
        path: of plan.json, for errors.

    Raises:
        ConfigError: a peer's id is malformed, or a neighbor is not a peer.
    """
    for peer, each in plan.peers.items():
        if not re.fullmatch(PEER_ID, peer):
            raise ConfigError(str(path), "peers", peer, f"text that matches {PEER_ID}")
        for neighbor in set(each.neighbors) - plan.peers.keys():
            raise ConfigError(str(path), f"peers.{peer}.neighbors", neighbor, "one of the peers")
    plan = plan.without_changes()
    graph = nx.Graph()
    graph.add_nodes_from(plan.peers)
    graph.add_edges_from((p, n) for p, each in plan.peers.items() for n in each.neighbors)
    return Topology(
        name=plan.topology,
        path=path,
        description="",
        peer_ids=tuple(sorted(plan.peers)),
        profiles={peer: each.profile for peer, each in plan.peers.items()},
        graph=nx.freeze(graph),
        run=plan.settings.model_dump(),
        links=states_from_names(plan.links, plan.directed_links(), str(path)),
        hosts_before=plan.hosts,
    )
