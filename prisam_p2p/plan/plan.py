"""The plan: a whole run, resolved. What plan.json holds, and all that is needed to run again."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.link_properties import Link, LinkProperties, LinkState, from_names
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.plan.toml_file import validate
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.host import HostFacts

SCHEMA = 1


class PeerPlan(BaseModel):
    """One peer of a plan.

    Attributes:
        least_prune_ratio: the smallest on the grid that fits the device's budgets.
        parameters, n_bytes, macs: counted, of the slim model at `prune_ratio`.
        group: of the peer in the data, None where the split has no groups.
        classes: training and validation images per class.
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


class ModelPlan(BaseModel):
    """The dense model, what budgets that are shares refer to, and how it sees images.

    Attributes:
        mean, std: per channel; pixels in [0, 1] less the mean, divided by std.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    parameters: int
    n_bytes: int
    macs: int
    bn_channels: int
    mask_bits: int


class Plan(BaseModel):
    """Everything that decides a run.

    Attributes:
        topology: name of the topology; peers and links stand in `peers`.
        similarity_ratio: prune ratio of the announced masks, common to all peers.
        clusters: k of K-means.
        links: "FROM->TO" -> what that directed link is like; the others are clear.
        fan_in: peers that a baseline averages with in a round, where it draws or ranks them.
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

    def directed_links(self) -> list[Link]:
        """Return every link each way, ascending."""
        return sorted((peer, n) for peer, plan in self.peers.items() for n in plan.neighbors)

    def link_states(self) -> dict[Link, LinkState]:
        """Return what the links that are not clear are like.

        Raises:
            ConfigError: one of them is no link.
        """
        return from_names(self.links, self.directed_links(), "plan.json")


def read_plan(path: Path) -> Plan:
    """Return the plan in a run folder's plan.json.

    Raises:
        ConfigError: it is no plan.
    """
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), "", "no JSON", f"the plan.json of a run: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), "", type(data).__name__, "the plan.json of a run")
    return validate(data, Plan, str(path))
