"""From a topology and settings to a plan, with the data loaded and the budgets counted.

Everything that can be wrong with a run's input is found here, before any process starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import networkx as nx
import numpy as np

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.core.budget import GRID, Budget, Cost, smallest_ratio
from prisam_p2p.core.layout import Layout
from prisam_p2p.core.masks import prune_mask
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.datasets import Dataset, load_dataset
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.shared_data import SharedImages, share
from prisam_p2p.learn.split_table import class_counts, render_split
from prisam_p2p.learn.splits import PeerData, SplitRequest, draw_split
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.warm_up import training_step, usable_device
from prisam_p2p.plan.link_properties import by_name, from_names
from prisam_p2p.plan.plan import ModelPlan, PeerPlan, Plan
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.plan.topology import PEER_ID, Topology
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.host import host_facts

MIB = 2**20

_RATIO_WHERE_NOBODY_PRUNES = 0.5
"""Of the announced masks: one that keeps everything is the same on every peer."""


@dataclass(frozen=True)
class Prepared:
    """A plan and the data it needs, in memory that peers share; `split_table` is for people.

    Attributes:
        baseline: the plan of what is to run beside it, on the same peers and data.
    """

    plan: Plan
    baseline: Plan | None
    images: SharedImages
    rows: Mapping[str, PeerData]
    split_table: str


def prepare(topology: Topology, settings: RunSettings) -> Prepared:
    """Load the data, deal it, and turn each device's budgets into its prune ratio.

    Raises:
        ConfigError: anything in the input does not fit.
    """
    usable_device(settings.device)
    dataset = load_dataset(
        settings.dataset, settings.data_dir, settings.download, settings.image_size
    )
    split = _split(topology, settings, dataset)
    architecture = Architecture(
        settings.model, settings.width, dataset.n_classes, dataset.image_shape
    )
    layout = layout_of(architecture)
    _check_similarity_layers(settings, layout)
    cost_at = lru_cache(_counter(architecture, layout))
    dense = cost_at(0.0)
    model = ModelPlan(
        n_classes=dataset.n_classes,
        image_shape=dataset.image_shape,
        mean=dataset.mean,
        std=dataset.std,
        parameters=dense.parameters,
        n_bytes=dense.n_bytes,
        macs=dense.macs,
        bn_channels=layout.n_bn_channels,
        mask_bits=layout.n_bits,
    )
    host = host_facts(training_step(architecture, settings.seed, settings.batch_size))

    def plan_with(option: str, settings: RunSettings) -> Plan:
        _check_groups(option, settings, split)
        fan_in = settings.fan_in or _mean_others(split, settings)
        _check_trials(settings, fan_in, topology)
        peers = {
            peer: _peer_plan(peer, topology, settings, cost_at, split[peer], dataset)
            for peer in topology.peer_ids
        }
        return Plan(
            topology=topology.name,
            settings=settings,
            model=model,
            similarity_ratio=_similarity_ratio(settings, peers),
            clusters=settings.clusters or settings.groups,
            fan_in=fan_in,
            peers=peers,
            links={} if settings.algorithm.traits.silent else by_name(topology.links),
            host=host,
        )

    plan = plan_with("--algorithm", settings)
    beside = _baseline_settings(settings)
    baseline = plan_with("--baseline", beside) if beside else None
    table = render_split(split, dataset.train_labels, dataset.n_classes)
    images, rows = share(dataset, split)
    return Prepared(plan, baseline, images, rows, table)


def check_split(topology: Topology, settings: RunSettings, dataset: Dataset) -> None:
    """Deal the data as a run would.

    Raises:
        ConfigError: it cannot be dealt so, or the method needs groups that the split has not.
    """
    _check_groups("--algorithm", settings, _split(topology, settings, dataset))


def _baseline_settings(settings: RunSettings) -> RunSettings | None:
    """Return the settings of the run beside; None where there is none, or it is the same."""
    if settings.baseline in (None, settings.algorithm):
        return None
    return settings.model_copy(update={"algorithm": settings.baseline, "baseline": None})


def _check_groups(option: str, settings: RunSettings, split: Mapping[str, PeerData]) -> None:
    told = settings.algorithm.traits.knows_groups
    if told and any(data.group is None for data in split.values()):
        right = (
            f"with --split {settings.split.value}, which has no groups, a method that needs none"
        )
        raise ConfigError(option, "", settings.algorithm.value, right)


def _check_trials(settings: RunSettings, fan_in: int, topology: Topology) -> None:
    n_tried, n_most = settings.pens_sampled, max(dict(topology.graph.degree).values(), default=0)
    if settings.algorithm is Algorithm.PENS and n_tried and n_tried <= fan_in < n_most:
        right = f"more than the fan-in, {fan_in}: the best of those tried are averaged"
        raise ConfigError("--pens-sampled", "", n_tried, right)


def _mean_others(split: Mapping[str, PeerData], settings: RunSettings) -> int:
    """Return the mean size of the data's groups less one, 1 at least.

    Where the split has no groups: of as many groups as K-means would make.
    """
    groups = {data.group for data in split.values()} - {None}
    n_groups = len(groups) or settings.clusters or settings.groups
    return max(1, round(len(split) / n_groups) - 1)


def topology_of(plan: Plan, path: Path) -> Topology:
    """Return the topology of an earlier run, its settings as [run].

    Raises:
        ConfigError: a peer's name or a neighbor is none.
    """
    for peer, each in plan.peers.items():
        if not re.fullmatch(PEER_ID, peer):
            raise ConfigError(str(path), "peers", peer, f"text that matches {PEER_ID}")
        for neighbor in set(each.neighbors) - plan.peers.keys():
            raise ConfigError(str(path), f"peers.{peer}.neighbors", neighbor, "one of the peers")
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
        links=from_names(plan.links, plan.directed_links(), str(path)),
    )


def split_request(settings: RunSettings) -> SplitRequest:
    """Return what the settings say of the split."""
    return SplitRequest(
        kind=settings.split,
        groups=settings.groups,
        classes_per_group=settings.classes_per_group,
        alpha=settings.alpha,
        images_per_peer=settings.images_per_peer,
        test_images_per_peer=settings.test_images_per_peer,
    )


def _split(topology: Topology, settings: RunSettings, dataset: Dataset) -> dict[str, PeerData]:
    return draw_split(
        split_request(settings),
        topology.peer_ids,
        dataset.train_labels,
        dataset.test_labels,
        dataset.n_classes,
        np.random.default_rng([settings.seed, 1]),
    )


def _counter(architecture: Architecture, layout: Layout) -> Callable[[float], Cost]:
    """Return what counts the slim model's cost at a prune ratio: it depends on counts only."""
    even = np.zeros(layout.n_bits)

    def cost_at(prune_ratio: float) -> Cost:
        mask = prune_mask(layout, even, prune_ratio)
        return Cost(layout.n_parameters(mask), layout.n_bytes(mask), macs(architecture, mask))

    return cost_at


def _peer_plan(
    peer: str,
    topology: Topology,
    settings: RunSettings,
    cost_at: Callable[[float], Cost],
    data: PeerData,
    dataset: Dataset,
) -> PeerPlan:
    profile = topology.profiles[peer]
    least, ratio = _prune_ratio(profile, settings, cost_at)
    own = np.concatenate([data.train, data.validation])
    return PeerPlan(
        profile=profile,
        neighbors=sorted(topology.graph.neighbors(peer)),
        prune_ratio=ratio,
        least_prune_ratio=least,
        parameters=cost_at(ratio).parameters,
        n_bytes=cost_at(ratio).n_bytes,
        macs=cost_at(ratio).macs,
        group=data.group,
        classes=class_counts(own, dataset.train_labels, dataset.n_classes).tolist(),
    )


def _prune_ratio(
    profile: DeviceProfile, settings: RunSettings, cost_at: Callable[[float], Cost]
) -> tuple[float, float]:
    """Return the least prune ratio that fits the device's budgets, and the one it gets."""
    if settings.algorithm.traits.dense:  # by definition, budgets do not apply
        return 0.0, 0.0
    budget = _budget(profile, cost_at(0.0))
    least = smallest_ratio(budget, cost_at)
    if least is None:
        smallest = cost_at(GRID[-1])
        right = (
            f"a budget that the model pruned by {GRID[-1]} fits "
            f"({smallest.n_bytes / MIB:.3f} MiB, {smallest.macs} MACs)"
        )
        raise ConfigError(f"device profile {profile.name}", "storage, macs", budget, right)
    if settings.prune_ratio is not None:
        where, key, ratio = "--prune-ratio", "", settings.prune_ratio
    elif profile.prune_ratio is not None:
        where, key, ratio = f"device profile {profile.name}", "prune_ratio", profile.prune_ratio
    else:
        return least, least
    if not budget.fits(cost_at(ratio)):
        raise ConfigError(where, key, ratio, f"at least {least} to fit {profile.name}'s budget")
    return least, ratio


def _budget(profile: DeviceProfile, dense: Cost) -> Budget:
    n_bytes: float | None = None
    if profile.storage_mib is not None:
        n_bytes = profile.storage_mib * MIB
    elif profile.storage_share is not None:
        n_bytes = profile.storage_share * dense.n_bytes
    share = profile.macs_share
    return Budget(n_bytes, share * dense.macs if share is not None else profile.macs)


def _similarity_ratio(settings: RunSettings, peers: Mapping[str, PeerPlan]) -> float:
    largest = max(plan.prune_ratio for plan in peers.values())
    if settings.similarity_ratio is None:
        compared = settings.algorithm.traits.masks == "similarity"
        return largest or (_RATIO_WHERE_NOBODY_PRUNES if compared else 0.0)
    if settings.similarity_ratio < largest:  # the mask would show what a peer lacks
        right = f"at least {largest}, the largest prune ratio of a peer"
        raise ConfigError("--similarity-ratio", "", settings.similarity_ratio, right)
    return settings.similarity_ratio


def _check_similarity_layers(settings: RunSettings, layout: Layout) -> None:
    layers = settings.similarity_layers
    if layers != "all" and int(layers.removeprefix("last-")) > len(layout.sets):
        right = f"all, or last-1 to last-{len(layout.sets)} with {settings.model}"
        raise ConfigError("--similarity-layers", "", layers, right)
