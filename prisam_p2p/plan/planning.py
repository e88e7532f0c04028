"""From a topology and settings to a plan: loads the data, and counts what each device can hold.

All that can be wrong with the input of a run is found here, before any process starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from prisam_p2p.algorithms import Algorithm, Traits
from prisam_p2p.core.budget import Cost
from prisam_p2p.core.layout import Layout
from prisam_p2p.core.masks import prune_mask
from prisam_p2p.core.participation import participants
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.data_in_time import DataFrom, Drift, Pools, data_in_time
from prisam_p2p.learn.dataset_code import dataset_from_code
from prisam_p2p.learn.datasets import Dataset, load_dataset
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.newcomers import Newcomer, data_of_newcomers
from prisam_p2p.learn.shared_data import SharedImages, share
from prisam_p2p.learn.split_code import split_from_code
from prisam_p2p.learn.split_table import class_counts, render_split
from prisam_p2p.learn.splits import PeerData, SplitRequest, draw_split
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.warm_up import training_step, usable_device
from prisam_p2p.plan.link_properties import properties_by_name
from prisam_p2p.plan.plan import Arrival, DataChange, ModelPlan, PeerPlan, Plan
from prisam_p2p.plan.profile import device_prune_ratio
from prisam_p2p.plan.replacements import Replacement, stays_of, with_newcomers
from prisam_p2p.plan.topology import Topology
from prisam_p2p.plan.user_code import NO_CODE, Code, forkable, records_of, traits_of
from prisam_p2p.settings import EngineName, MaskBy, RunSettings, SimilarityBy, Split
from prisam_p2p.system.host import HostFacts, host_facts

_OF_SPLIT, _OF_LATER_DATA, _OF_NEWCOMERS = 1, 2, 3
"""Draw the images at the beginning apart from those of later rounds."""

DriftsOf = Callable[[Plan], Sequence[Drift]]
"""Given a plan without changes of data: the changes that faults are to make."""

ReplacementsOf = Callable[[Plan], Sequence[Replacement]]
"""Given a plan without newcomers: whose place is taken by whom during the run."""

_SIMILARITY_RATIO_IF_NOBODY_PRUNES = 0.5
"""A mask that keeps all channels is the same on every peer, and says nothing about its data."""


@dataclass(frozen=True)
class Prepared:
    """A plan, and the data of the run in memory that peers share.

    Attributes:
        baseline: plan of the baseline, on the same peers and data; None if there is none.
        images: all images of the dataset.
        rows: peer -> its images at the beginning, as row numbers in `images`.
        split_table: which peer has which classes, as text for people.
        changes: peer -> its other images later, as row numbers, too, by round ascending.
    """

    plan: Plan
    baseline: Plan | None
    images: SharedImages
    rows: Mapping[str, PeerData]
    split_table: str
    changes: Mapping[str, Sequence[DataFrom]] = field(default_factory=dict)


def prepare(
    topology: Topology,
    settings: RunSettings,
    code: Code = NO_CODE,
    drifts_of: DriftsOf = lambda _: (),
    replacements_of: ReplacementsOf = lambda _: (),
) -> Prepared:
    """Load the data, partition it, and plan the run and its baseline.

    Args:
        code: what `settings` name, loaded (`user_code.load_code`).
        drifts_of: returns how the data of the run change; those of its baseline do not.
        replacements_of: returns which devices are replaced in the run; in its baseline, none is.

    Raises:
        ConfigError: a setting, a profile or the data does not fit the others.
    """
    if settings.on is EngineName.NONE:
        usable_device(settings.device)
    dataset = open_dataset(settings, code)
    split = _split(topology, settings, dataset, code)
    planner = _planner(topology, settings, dataset, split, code)
    plan = planner.plan(settings, code, "--algorithm")
    beside = _baseline_settings(settings)
    baseline = planner.plan(beside, _code_of_baseline(code), "--baseline") if beside else None
    table = render_split(split, dataset.train_labels, dataset.n_classes)
    if found := replacements_of(plan):
        later = [Newcomer(each.comes, each.leaves, each.to) for each in found]
        rng = np.random.default_rng([settings.seed, _OF_NEWCOMERS])
        split |= data_of_newcomers(split, later, _pools(settings, dataset), rng)
        net = with_newcomers(topology, found)
        planner = replace(planner, topology=net, split=split)
        plan = _with_newcomers(plan, planner.plan(settings, code, "--algorithm"), topology, found)
    changes = _changes(settings, dataset, split, drifts_of(plan))
    in_time = {p: [data, *(c.data for c in changes.get(p, ()))] for p, data in split.items()}
    every = {(p, n): data for p, each in in_time.items() for n, data in enumerate(each)}
    images, rows = share(dataset, every)
    return Prepared(
        plan=_with_changes(plan, changes, dataset),
        baseline=baseline,
        images=images,
        rows={peer: rows[peer, 0] for peer in split},
        split_table=table,
        changes={
            p: [replace(change, data=rows[p, n]) for n, change in enumerate(each, start=1)]
            for p, each in changes.items()
        },
    )


def _changes(
    settings: RunSettings,
    dataset: Dataset,
    split: Mapping[str, PeerData],
    drifts: Sequence[Drift],
) -> dict[str, list[DataFrom]]:
    """Return peer -> its other images later, as indices into the pools of the data set."""
    pools = _pools(settings, dataset)
    rng = np.random.default_rng([settings.seed, _OF_LATER_DATA])
    return data_in_time(split, drifts, pools, settings.rounds, rng) if drifts else {}


def _pools(settings: RunSettings, dataset: Dataset) -> Pools:
    """Return what new images are dealt from."""
    return Pools(
        dataset.train_labels,
        dataset.test_labels,
        dataset.n_classes,
        settings.test_images_per_peer,
        by_class=isinstance(settings.split, Split),
    )


def _with_newcomers(
    plan: Plan, with_all: Plan, topology: Topology, found: Sequence[Replacement]
) -> Plan:
    """Return the plan with newcomers; clusters and fan-in are those of the devices at a time.

    Args:
        with_all: as if all were there from the beginning.
    """
    stays, came = stays_of(topology.peer_ids, found), {each.comes: each for each in found}
    peers = {
        peer: each.model_copy(update={"leaves": stays[peer].end, "arrival": _arrival(came, peer)})
        for peer, each in with_all.peers.items()
    }
    return plan.model_copy(update={"peers": peers, "links": with_all.links})


def _arrival(came: Mapping[str, Replacement], peer: str) -> Arrival | None:
    if peer not in came:
        return None
    each = came[peer]
    return Arrival(round=each.round, replaces=each.leaves, fault=each.fault)


def _with_changes(plan: Plan, changes: Mapping[str, Sequence[DataFrom]], dataset: Dataset) -> Plan:
    """Return the plan with the changes of its peers' data."""
    found = {
        peer: each.model_copy(
            update={"data_changes": [_data_change(x, dataset) for x in changes.get(peer, ())]}
        )
        for peer, each in plan.peers.items()
    }
    return plan.model_copy(update={"peers": found}) if changes else plan


def _data_change(change: DataFrom, dataset: Dataset) -> DataChange:
    data = change.data
    assert data.group is not None, "images of a data group"
    own = np.concatenate([data.train, data.validation])
    classes = class_counts(own, dataset.train_labels, dataset.n_classes).tolist()
    return DataChange(round=change.round, group=data.group, classes=classes, fault=change.fault)


def open_dataset(settings: RunSettings, code: Code = NO_CODE) -> Dataset:
    """Return the data set of a run.

    Raises:
        ConfigError: it is missing, damaged or inconsistent.
    """
    if "dataset" not in code:
        given = (settings.dataset, settings.data_dir, settings.download, settings.image_size)
        return load_dataset(*given)
    with forkable(settings, "dataset"):
        dataset = dataset_from_code(code["dataset"].value, settings.dataset, settings.data_dir)
    if settings.image_size is not None:
        right = "none: a data set of your own has the size that your code gives it"
        raise ConfigError("--image-size", "", settings.image_size, right)
    return dataset


def check_split(
    topology: Topology, settings: RunSettings, dataset: Dataset, code: Code = NO_CODE
) -> None:
    """Partition the data as a run would.

    Raises:
        ConfigError: the data is too small for it, or the algorithm needs groups that the split
            does not have.
    """
    split = _split(topology, settings, dataset, code)
    _check_groups("--algorithm", settings, traits_of(settings, code), split)


def split_request(settings: RunSettings) -> SplitRequest:
    """Return the settings that decide the partition of the data."""
    return SplitRequest(
        kind=settings.split,
        groups=settings.groups,
        classes_per_group=settings.classes_per_group,
        alpha=settings.alpha,
        images_per_peer=settings.images_per_peer,
        test_images_per_peer=settings.test_images_per_peer,
    )


@dataclass(frozen=True)
class _Planner:
    """What a run and its baseline have in common.

    Attributes:
        split: peer -> its images.
        cost_at: prune ratio -> cost of the slim model.
    """

    topology: Topology
    dataset: Dataset
    split: Mapping[str, PeerData]
    model: ModelPlan
    cost_at: Callable[[float], Cost]
    host: HostFacts

    def plan(self, settings: RunSettings, code: Code, option: str) -> Plan:
        """Return the plan of a run with these settings; `option` names its algorithm."""
        traits = traits_of(settings, code)
        _check_regrowth(settings)
        _check_groups(option, settings, traits, self.split)
        share = _participants(settings, self.topology) / len(self.topology.peer_ids)
        fan_in = settings.fan_in or round(_mean_group_size(self.split, settings) * share) - 1
        fan_in = max(1, fan_in)
        _check_pens_sampled(settings, fan_in, self.topology)
        clusters = settings.clusters or _n_groups(self.split, settings)
        _check_models(clusters, traits, self.model)
        peers = {peer: self._peer_plan(peer, settings, traits) for peer in self.topology.peer_ids}
        return Plan(
            topology=self.topology.name,
            settings=settings,
            model=self.model,
            similarity_ratio=_similarity_ratio(settings, traits, peers),
            clusters=clusters,
            fan_in=fan_in,
            peers=peers,
            links={} if traits.silent else properties_by_name(self.topology.links),
            host=self.host,
            traits=traits,
            code=records_of(code),
        )

    def _peer_plan(self, peer: str, settings: RunSettings, traits: Traits) -> PeerPlan:
        profile, data = self.topology.profiles[peer], self.split[peer]
        least = ratio = 0.0  # dense: the device holds the whole model, whatever its budget
        if not traits.dense:
            least, ratio = device_prune_ratio(profile, settings.prune_ratio, self.cost_at)
        cost = self.cost_at(ratio)
        own = np.concatenate([data.train, data.validation])
        classes = class_counts(own, self.dataset.train_labels, self.dataset.n_classes)
        return PeerPlan(
            profile=profile,
            neighbors=sorted(self.topology.graph.neighbors(peer)),
            prune_ratio=ratio,
            least_prune_ratio=least,
            parameters=cost.parameters,
            n_bytes=cost.n_bytes,
            macs=cost.macs,
            group=data.group,
            classes=classes.tolist(),
        )


def _planner(
    topology: Topology,
    settings: RunSettings,
    dataset: Dataset,
    split: Mapping[str, PeerData],
    code: Code,
) -> _Planner:
    """Build the model's layout and measure this host."""
    net = code["model"].value if "model" in code else None
    like = (dataset.n_classes, dataset.image_shape, dataset.dtype)
    architecture = Architecture(settings.model, settings.width, *like, net)
    with forkable(settings, "model"):
        layout = layout_of(architecture)
    _check_similarity_layers(settings, layout)
    _check_flips(settings, dataset)
    cost_at = lru_cache(_slim_cost(architecture, layout))
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
        dtype=dataset.dtype,
        mask_layers=tuple((each.title, each.size) for each in layout.sets),
    )
    host = host_facts(training_step(architecture, settings.seed, settings.batch_size))
    return _Planner(topology, dataset, split, model, cost_at, host)


def _slim_cost(architecture: Architecture, layout: Layout) -> Callable[[float], Cost]:
    """Return a function from prune ratio to cost, which depends only on how many channels stay."""
    equal_scores = np.zeros(layout.n_bits)

    def cost_at(prune_ratio: float) -> Cost:
        mask = prune_mask(layout, equal_scores, prune_ratio)
        return Cost(layout.n_parameters(mask), layout.n_bytes(mask), macs(architecture, mask))

    return cost_at


def _split(
    topology: Topology, settings: RunSettings, dataset: Dataset, code: Code
) -> dict[str, PeerData]:
    rng = np.random.default_rng([settings.seed, _OF_SPLIT])
    pools = (topology.peer_ids, dataset.train_labels, dataset.test_labels, dataset.n_classes)
    if "split" not in code:
        return draw_split(split_request(settings), *pools, rng)
    own, name, most = code["split"].value, str(settings.split), settings.test_images_per_peer
    with forkable(settings, "split"):
        return split_from_code(own, name, *pools, most, rng)


def _baseline_settings(settings: RunSettings) -> RunSettings | None:
    """Return the settings of the baseline's run, None if there is none or it is the same run."""
    if settings.baseline in (None, settings.algorithm):
        return None
    return settings.model_copy(update={"algorithm": settings.baseline, "baseline": None})


def _code_of_baseline(code: Code) -> Code:
    """Return the code of the baseline's run: what the run's baseline is, is its algorithm."""
    own = {key: each for key, each in code.items() if key not in ("algorithm", "baseline")}
    return {**own, "algorithm": code["baseline"]} if "baseline" in code else own


def _mean_group_size(split: Mapping[str, PeerData], settings: RunSettings) -> int:
    """Return the mean size of the groups in the data, 1 at least.

    Where the split has no groups, it is that of the groups that K-means would make.
    """
    groups = {data.group for data in split.values()} - {None}
    n_groups = len(groups) or settings.clusters or settings.groups
    return max(1, round(len(split) / n_groups))


def _n_groups(split: Mapping[str, PeerData], settings: RunSettings) -> int:
    """Return the number of groups in the data; where users' code makes none, --groups."""
    found = {data.group for data in split.values()} - {None}
    return settings.groups if isinstance(settings.split, Split) else len(found) or settings.groups


def _similarity_ratio(
    settings: RunSettings, traits: Traits, peers: Mapping[str, PeerPlan]
) -> float:
    largest = max(plan.prune_ratio for plan in peers.values())
    if settings.similarity_ratio is None:
        compared = traits.masks == "similarity"
        ratio = largest or (_SIMILARITY_RATIO_IF_NOBODY_PRUNES if compared else 0.0)
        return (1 + ratio) / 2 if compared and _keeps_all_it_ranks(settings) else ratio
    if settings.similarity_ratio < largest:  # the mask would show which channels a peer lacks
        right = f"at least {largest}, the largest prune ratio of a peer"
        raise ConfigError("--similarity-ratio", "", settings.similarity_ratio, right)
    return settings.similarity_ratio


def _keeps_all_it_ranks(settings: RunSettings) -> bool:
    """Tell whether a mask at the largest rho would only say which channels a peer has."""
    if settings.similarity_by is SimilarityBy.GAMMA_OF_W0:
        return settings.prune_w0
    changes = settings.similarity_by is SimilarityBy.GAMMA_CHANGE
    return changes or settings.mask_by is not MaskBy.GAMMA


def _check_groups(
    option: str, settings: RunSettings, traits: Traits, split: Mapping[str, PeerData]
) -> None:
    if traits.knows_groups and any(d.group is None for d in split.values()):
        right = f"an algorithm that needs no groups: --split {settings.split} has none"
        raise ConfigError(option, "", str(settings.algorithm), right)


def _participants(settings: RunSettings, topology: Topology) -> int:
    try:
        return participants(settings.participation, len(topology.peer_ids))
    except ValueError:
        n = len(topology.peer_ids)
        right = f"a share below 1, as 0.5, or a whole number of peers from 1 to {n}"
        raise ConfigError("--participation", "", settings.participation, right) from None


def _check_regrowth(settings: RunSettings) -> None:
    if settings.regrow_share and settings.mask_by is not MaskBy.GAMMA:
        right = f"0: with --mask-by {settings.mask_by}, no regrown channel could stay"
        raise ConfigError("--regrow-share", "", settings.regrow_share, right)


def _check_pens_sampled(settings: RunSettings, fan_in: int, topology: Topology) -> None:
    sampled, most = settings.pens_sampled, max(dict(topology.graph.degree).values(), default=0)
    if settings.algorithm is Algorithm.PENS and sampled and sampled <= fan_in < most:
        right = f"more than the fan-in, {fan_in}: pens averages the best models of those it tries"
        raise ConfigError("--pens-sampled", "", sampled, right)


def _check_models(clusters: int, traits: Traits, model: ModelPlan) -> None:
    """Refuse more models than an announcement can name: it has no more bits than a mask."""
    if traits.masks == "choice" and clusters > model.mask_bits:
        right = f"at most {model.mask_bits} models to choose among with this network"
        raise ConfigError("--clusters", "", clusters, right)


def _check_flips(settings: RunSettings, dataset: Dataset) -> None:
    shape = dataset.image_shape
    if settings.flips and (len(shape) != 3 or dataset.dtype != "float32"):
        inputs = f"{dataset.dtype} of shape {shape}"
        right = f"no flips, as the inputs of {settings.dataset} are no images but {inputs}"
        raise ConfigError("--flips", "", "on", right)


def _check_similarity_layers(settings: RunSettings, layout: Layout) -> None:
    layers = settings.similarity_layers
    if layers != "all" and int(layers.removeprefix("last-")) > len(layout.sets):
        right = f"all, or last-1 to last-{len(layout.sets)} with {settings.model}"
        raise ConfigError("--similarity-layers", "", layers, right)
