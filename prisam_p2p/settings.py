"""The settings of a run: the one list behind `--help`, `[run]` in a topology and plan.json.

The defaults are those of the default topology's run: scikit-learn's digits on VGG-S.
docs/settings.md is made from it: `python -m prisam_p2p.settings_page > docs/settings.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from prisam_p2p.algorithms import Algorithm, built_in
from prisam_p2p.extensions.installed import installed, names_code
from prisam_p2p.extensions.reference import HOW, CodeKind

MOST_ROUNDS = 100_000
_MEMORY_OF_W0 = 0.6


class _Described(StrEnum):
    """Names with a line about each, which `prisam list` shows."""

    description: str

    def __new__(cls, name: str, description: str) -> _Described:
        """Make the member `name`; `cls(name)` finds it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        return member


class Split(_Described):
    """How the images are partitioned over the peers."""

    CLUSTER_DIRICHLET = (
        "cluster-dirichlet",
        "groups of peers (--groups); the classes of each group are drawn from Dirichlet(--alpha)",
    )
    CLUSTER_PATHOLOGICAL = (
        "cluster-pathological",
        "groups of peers (--groups); each group has some of the classes (--classes-per-group)",
    )
    DIRICHLET = ("dirichlet", "the classes of each peer are drawn from Dirichlet(--alpha)")
    PATHOLOGICAL = ("pathological", "each peer has some of the classes (--classes-per-group)")
    IID = ("iid", "every peer has the class proportions of the whole data set")


class InitialWeights(StrEnum):
    """Which initial weights W0 a peer begins with."""

    COMMON = "common"
    OWN = "own"


def _lines(names: type[_Described]) -> str:
    """Return `names` with a line about each, for help."""
    return "; ".join(f"{each}: {each.description}" for each in names)


class PruneOrder(StrEnum):
    """Which of Algorithm 1's steps 7 (train) and 8 (prune) comes first."""

    AFTER_AGGREGATION = "after-aggregation"
    AFTER_TRAINING = "after-training"


class MaskBy(_Described):
    """What decides which channels a peer keeps."""

    GAMMA = ("gamma", "those with the largest gammas, ranked anew in every round (the method)")
    GAMMA_ONCE = (
        "gamma-once",
        "those with the largest gammas in a peer's first round, kept from then on",
    )
    RANDOM_COMMON = ("random-common", "channels drawn by the seed, the same on every peer")
    RANDOM_OWN = ("random-own", "channels drawn by the seed, other ones on each peer")


class RankBy(_Described):
    """How the channels of an average are ranked before it is pruned."""

    RETAINERS = ("retainers", "by the mean gamma of the members that retain a channel")
    VOTES = ("votes", "by the mean over all members: one that dropped the channel counts as 0")


class SimilarityBy(_Described):
    """Which channels a peer announces as its similarity mask."""

    GAMMA = ("gamma", "those with the largest gammas after training")
    GAMMA_CHANGE = ("gamma-change", "those whose gamma this round's training moved most")
    GAMMA_OF_W0 = (
        "gamma-of-w0",
        "those with the largest gammas after W0, not the group's model, is trained on the peer's "
        "data: they follow the data, whatever the groups were",
    )


class Grouping(_Described):
    """How a peer finds its group among the masks of its neighbors."""

    KMEANS = ("kmeans", "K-means of the masks heard in this round, into --clusters groups")
    DBSCAN = (
        "dbscan",
        "DBSCAN of the masks heard in this round, with --dbscan-eps; finds k itself",
    )
    TOP_M = ("top-m", "the --top-m neighbors whose masks were the most similar, over all rounds")


class Dtype(StrEnum):
    """Type of weights on the wire."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class PullPart(StrEnum):
    """Which of a donor's weights are pulled."""

    WHOLE = "whole"
    OVERLAP = "overlap"


class Aggregation(StrEnum):
    """How the group's values of a weight become one."""

    MEAN = "mean"
    MEDIAN = "median"
    TRIMMED_MEAN = "trimmed-mean"


class Start(StrEnum):
    """How peer processes start."""

    ZYGOTE = "zygote"
    SPAWN = "spawn"


class NetworkKind(StrEnum):
    """The emulated network between the peers."""

    LOOPBACK = "loopback"
    NAMESPACES = "namespaces"
    AUTO = "auto"


class Security(StrEnum):
    """How connections between peers are secured."""

    PLAIN = "plain"
    CURVE = "curve"
    AUTO = "auto"


class Device(StrEnum):
    """What trains."""

    CPU = "cpu"
    CUDA = "cuda"


class EngineName(StrEnum):
    """What gives the hosts of a run."""

    NONE = "none"
    LOCAL = "local"
    RAY = "ray"
    SLURM = "slurm"


class Placement(StrEnum):
    """Which host each peer lives on."""

    GROUP = "group"
    SPREAD = "spread"
    PIN = "pin"


class OnHostLoss(StrEnum):
    """What becomes of the peers of a host that is lost."""

    LOST = "lost"
    RESTART = "restart"


class Heading(StrEnum):
    """The headings under which settings stand in help and in docs/settings.md, in this order."""

    RUN = "Run"
    DATA = "Data"
    MODEL = "Model and training"
    METHOD = "Method"
    BASELINES = "Baselines"
    NETWORK = "Network and processes"
    HOSTS = "Several hosts"
    TIMING = "Timing"


@dataclass(frozen=True)
class About:
    """What a setting's field says of it besides its type, default, bounds and description.

    Attributes:
        group: where it is listed.
        common: the short help shows it.
        unset: what holds where the default is None; a choice can be set to it, too.
        code: what users' code can be its value; "" if none can.
    """

    group: Heading
    common: bool = False
    unset: str = ""
    code: str = ""


def _setting(
    group: Heading,
    default: Any,
    description: str,
    *,
    common: bool = False,
    unset: str = "",
    code: str = "",
    **bounds: Any,
) -> Any:
    """Return a pydantic field; `about` reads what it says. `bounds` are pydantic's ge, lt, .."""
    extra: dict[str, Any] = {
        "group": group.value,
        "common": common,
        "unset": unset,
        "code": code,
    }
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def about(field: FieldInfo) -> About:
    """Return what a field of RunSettings says of itself."""
    extra: Any = field.json_schema_extra
    return About(Heading(extra["group"]), extra["common"], extra["unset"], extra["code"])


RENAMED: Mapping[str, str] = {
    "deadline_k": "round_deadline_k",
    "resume_timeout_s": "reconnect_timeout_s",
}
REMOVED: Mapping[str, str] = {
    "deadline_floor_s": "a deadline leaves a margin of at least 10 s",
    "pull_least_bytes_s": "a pull fails below 1,024 bytes/s",
    "quorum": "a deadline holds once half of the masks are here",
    "serve_at_once": "a donor sends weights to at most 4 peers at a time",
}
"""Settings of earlier versions, and what is fixed now."""


NO_BASELINE = "none"


def _one_of(kind: CodeKind, known: type[StrEnum], *words: str) -> Callable[[object], str]:
    """Return what reads a built-in name as its member, and leaves `words` and users' code as text.

    It refuses what is none of these.
    """

    def read(value: object) -> str:
        if isinstance(value, str):
            if value in set(known):
                return known(value)
            if value in words or names_code(kind, value):
                return value
        offered = dict.fromkeys((*words, *known, *sorted(installed(kind))))
        names = ", ".join(f"'{name}'" for name in offered)
        raise PydanticCustomError("enum", "one of {expected}", {"expected": f"{names}; or {HOW}"})

    return read


def _none_or_algorithm(value: object) -> object:
    """Read "none" as None; refuse what is neither that nor an algorithm."""
    if value in (None, NO_BASELINE):
        return None
    return _one_of(CodeKind.ALGORITHM, Algorithm, NO_BASELINE)(value)


_AS_TEXT = PlainSerializer(str, return_type=str)
AnyAlgorithm = Annotated[
    Algorithm | str, PlainValidator(_one_of(CodeKind.ALGORITHM, Algorithm)), _AS_TEXT
]
"""A built-in algorithm, or the name of users' code."""

AnySplit = Annotated[Split | str, PlainValidator(_one_of(CodeKind.SPLIT, Split)), _AS_TEXT]
AnyGrouping = Annotated[
    Grouping | str, PlainValidator(_one_of(CodeKind.GROUPING, Grouping)), _AS_TEXT
]

Baseline = Annotated[
    Algorithm | str | None,
    PlainValidator(_none_or_algorithm),
    PlainSerializer(lambda algorithm: str(algorithm or NO_BASELINE), return_type=str),
]
"""None is "none" in files and on the command line."""

SimilarityLayers = Annotated[str, StringConstraints(pattern=r"^(all|last-[1-9][0-9]*)$")]


class RunSettings(BaseModel):
    """The settings of a run. Field descriptions are the help texts; names end in the unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    former_keys: ClassVar[Mapping[str, str]] = {
        **{old: f"its new name, {new}" for old, new in RENAMED.items()},
        **{old: f"no such setting: {fixed}" for old, fixed in REMOVED.items()},
    }
    """Key that earlier versions had -> what the refusal says is right."""

    algorithm: AnyAlgorithm = _setting(
        Heading.RUN,
        Algorithm.PRISAM,
        f"What every peer does in a round (docs/baselines.md): {', '.join(Algorithm)}; or your own "
        "(docs/extending.md).",
        common=True,
        code=CodeKind.ALGORITHM,
    )
    baseline: Baseline = _setting(
        Heading.RUN,
        None,
        "Also run this algorithm (or none) on the same peers and data, and compare.",
        common=True,
        unset=NO_BASELINE,
        code=CodeKind.ALGORITHM,
    )
    rounds: int = _setting(Heading.RUN, 12, "Number of rounds.", common=True, ge=1, le=MOST_ROUNDS)
    seed: int = _setting(
        Heading.RUN, 0, "Seed of everything random in the run.", common=True, ge=0, lt=2**32
    )
    target_loss: float | None = _setting(
        Heading.RUN,
        None,
        "A peer finishes early when its training loss is at most this.",
        unset="off",
        gt=0,
    )
    patience: int | None = _setting(
        Heading.RUN,
        None,
        "A peer finishes early after this many evaluations without a better validation accuracy.",
        unset="off",
        ge=1,
    )
    participation: float | None = _setting(
        Heading.RUN,
        None,
        "How many peers take part in a round: a share of them (0.5), or a number from 1 on (100). "
        "They are drawn by the seed, for each round anew. The others neither train nor announce "
        "nor pull; they wait for the round's end and serve their last weights. In the first and "
        "the last round all take part.",
        unset="all",
        gt=0,
    )
    evaluate_every: int = _setting(
        Heading.RUN, 1, "Rounds between evaluations; the last round is always evaluated.", ge=1
    )
    evaluate_before_recalibration: bool = _setting(
        Heading.RUN,
        False,
        "Also evaluate the average before its BatchNorm statistics are computed anew: the journals "
        "then tell what that is worth. Results stay the same; a third evaluation in each round "
        "costs CPU time.",
    )

    dataset: str = _setting(
        Heading.DATA,
        "digits",
        "digits, fashion-mnist, cifar10, cifar100, svhn, folder (images in train/CLASS/ and "
        "test/CLASS/ of --data-dir), or the path of an .npz file with x_train, y_train, x_test, "
        "y_test; or your own (docs/extending.md).",
        common=True,
        code=CodeKind.DATASET,
    )
    data_dir: Path | None = _setting(
        Heading.DATA, None, "Directory of the dataset's files.", common=True, unset="none"
    )
    download: bool = _setting(
        Heading.DATA, False, "Let torchvision download a missing dataset into --data-dir."
    )
    image_size: int | None = _setting(
        Heading.DATA,
        None,
        "Resize images to this width and height in pixels.",
        unset="the dataset's",
        ge=4,
        le=1024,
    )
    split: AnySplit = _setting(
        Heading.DATA,
        Split.CLUSTER_PATHOLOGICAL,
        "How the images are partitioned over the peers. In a cluster split, groups of peers have "
        "similar data.",
        common=True,
        code=CodeKind.SPLIT,
    )
    groups: int = _setting(Heading.DATA, 3, "Number of groups of a cluster split.", ge=1, le=10_000)
    classes_per_group: int = _setting(
        Heading.DATA,
        4,
        "Classes of a group in a cluster-pathological split, of a peer in a pathological one.",
        ge=1,
    )
    alpha: float = _setting(
        Heading.DATA,
        0.2,
        "Concentration parameter of a Dirichlet split; lower values give more skewed data.",
        gt=0,
    )
    images_per_peer: int = _setting(
        Heading.DATA,
        40,
        "Images of a peer for training; a fifth of them is held out for validation.",
        ge=8,
    )
    test_images_per_peer: int = _setting(
        Heading.DATA, 150, "Upper bound on the test images of a peer.", ge=1
    )

    model: str = _setting(
        Heading.MODEL,
        "vgg-s",
        "vgg-s, vgg11, resnet20, resnet18, or the name of a torchvision classifier with "
        "BatchNorm layers (torchvision:resnet18 where both have that name); or your own "
        "(docs/extending.md).",
        common=True,
        code=CodeKind.MODEL,
    )
    width: float = _setting(
        Heading.MODEL,
        1.0,
        "Multiplies the channels of built-in models; your own get it, too (not torchvision's).",
        gt=0,
        le=16,
    )
    initial_weights: InitialWeights = _setting(
        Heading.MODEL,
        InitialWeights.COMMON,
        "All peers begin with the same W0 (common, the method), or each with its own: a negative "
        "control, because masks then say nothing about the data.",
    )
    epochs: int = _setting(Heading.MODEL, 2, "Passes over the local data in a round.", ge=1)
    warmup_epochs: int = _setting(
        Heading.MODEL, 3, "Passes over the local data before the first mask.", ge=1
    )
    batch_size: int = _setting(Heading.MODEL, 16, "Images in a training step.", ge=4)
    learning_rate: float = _setting(Heading.MODEL, 0.05, "Learning rate of SGD in round 0.", gt=0)
    lr_decay: float = _setting(
        Heading.MODEL,
        0.9,
        "The learning rate is multiplied by this after every round.",
        gt=0,
        le=1,
    )
    momentum: float = _setting(Heading.MODEL, 0.9, "Momentum of SGD.", ge=0, lt=1)
    weight_decay: float = _setting(
        Heading.MODEL,
        0.0,
        "Weight decay of SGD: this times a parameter is added to its gradient. It acts on all "
        "parameters, as usual in the field: on those of BatchNorm layers and on biases, too.",
        ge=0,
        lt=1,
    )
    flips: bool = _setting(
        Heading.MODEL,
        False,
        "Mirror each image of a training step left to right with probability 1/2, drawn by peer "
        "and round. For images only.",
    )
    gamma_l1: float = _setting(
        Heading.MODEL, 0.0, "Weight of the L1 penalty on BatchNorm gammas (lambda).", ge=0
    )
    device: Device = _setting(Heading.MODEL, Device.CPU, "What trains: the CPU or a GPU.")

    prune_ratio: float | None = _setting(
        Heading.METHOD,
        None,
        "rho of every peer: the fraction of channels that it drops.",
        common=True,
        unset="from the device profiles",
        ge=0,
        lt=1,
    )
    prune_order: PruneOrder = _setting(
        Heading.METHOD,
        PruneOrder.AFTER_AGGREGATION,
        "Prune after aggregation and train the slim model, or train the union of the group's "
        "channels and prune after training (Algorithm 1 to the letter).",
    )
    regrowth_every: int = _setting(
        Heading.METHOD,
        5,
        "With after-aggregation: train the union of the group's channels in every round whose "
        "number is a multiple of this, so that dropped channels can return; 0 = never.",
        ge=0,
    )
    regrow_share: float = _setting(
        Heading.METHOD,
        0.0,
        "Exchange this share of each layer's channels, the weakest, for dead ones in every round: "
        "they are rebuilt from W0, trained, and stay if their gamma then ranks; 0 = off.",
        ge=0,
        le=0.5,
    )
    mask_by: MaskBy = _setting(
        Heading.METHOD,
        MaskBy.GAMMA,
        f"What decides which channels a peer keeps. {_lines(MaskBy)}. All but gamma are controls: "
        "they tell what choosing by gamma is worth.",
    )
    prune_w0: bool = _setting(
        Heading.METHOD,
        False,
        "Prune W0 to rho before round 0, to channels drawn by the seed (--mask-by random-own: each "
        "peer its own), so that no round trains the dense model.",
    )
    rank_by: RankBy = _setting(
        Heading.METHOD,
        RankBy.RETAINERS,
        f"How the channels of an average are ranked before it is pruned. {_lines(RankBy)}.",
    )
    accuracy_guard: float | None = _setting(
        Heading.METHOD,
        None,
        "Lower rho by 0.05, within the device's budget, when validation accuracy is this much "
        "below its best.",
        unset="off",
        ge=0,
        le=1,
    )
    grouping: AnyGrouping = _setting(
        Heading.METHOD,
        Grouping.KMEANS,
        "How a peer finds its group among the masks of its neighbors.",
        code=CodeKind.GROUPING,
    )
    clusters: int | None = _setting(
        Heading.METHOD,
        None,
        "k: groups of K-means, models of ifca, heads of facade.",
        unset="the number of groups in the data",
        ge=1,
    )
    dbscan_eps: float = _setting(
        Heading.METHOD,
        0.3,
        "Radius of DBSCAN, as a fraction of the announced mask's bits.",
        gt=0,
        le=1,
    )
    top_m: int = _setting(
        Heading.METHOD, 4, "Number of most similar neighbors that top-m chooses.", ge=1
    )
    aggregation: Aggregation = _setting(
        Heading.METHOD,
        Aggregation.MEAN,
        "How the group's values of a weight become one: mean (the paper), or median or "
        "trimmed-mean, which tolerate a minority of Byzantine peers.",
    )
    norm_limit: float = _setting(
        Heading.METHOD,
        3.0,
        "A donor is left out of the round if the norm of its weights is above this factor times "
        "the group's median, or below the median divided by it. 1e9 = never.",
        gt=1,
    )
    similarity_layers: SimilarityLayers = _setting(
        Heading.METHOD,
        "all",
        "Layers whose mask bits are announced: all, or last-N (last-3: fewer bytes).",
    )
    similarity_by: SimilarityBy = _setting(
        Heading.METHOD,
        SimilarityBy.GAMMA,
        f"Which channels a peer announces. {_lines(SimilarityBy)}.",
    )
    similarity_every: int = _setting(
        Heading.METHOD,
        1,
        "With gamma-of-w0: train W0 in every round whose number is a multiple of this; in the "
        "rounds between, the last mask holds.",
        ge=1,
    )
    similarity_epochs: int | None = _setting(
        Heading.METHOD,
        None,
        "With gamma-of-w0: passes over the local data each time; fewer are cheaper and noisier.",
        unset="as --epochs",
        ge=1,
    )
    similarity_memory: float | None = _setting(
        Heading.METHOD,
        None,
        "Weight of the scores of earlier rounds in those that a mask is made of: higher values are "
        "less noisy, and follow data that change later.",
        unset="0.6 with gamma-of-w0, else 0",
        ge=0,
        lt=1,
    )
    similarity_ratio: float | None = _setting(
        Heading.METHOD,
        None,
        "Prune ratio of the announced masks, the same on all peers. Above the largest rho, masks "
        "follow the gammas of a model whose channels no longer change.",
        unset="the largest rho, 0.5 if no peer prunes; with --similarity-by gamma-change or a "
        "--mask-by other than gamma, half of what that leaves: (1 + it) / 2",
        ge=0,
        lt=1,
    )
    mask_noise: float | None = _setting(
        Heading.METHOD,
        None,
        "Flip each bit of an announced similarity mask with probability 1 / (1 + e^epsilon) "
        "(randomised response), anew in each round: lower values say less about a peer's data, "
        "and find worse groups. prisam privacy measures both.",
        unset="off",
        gt=0,
    )
    bn_recalibration: bool = _setting(
        Heading.METHOD,
        True,
        "After aggregation, compute BatchNorm statistics anew in one pass over the local data.",
    )
    mask_hops: int = _setting(
        Heading.METHOD,
        1,
        "How many links a mask travels. 1: to direct neighbors. More: peers relay masks, so that "
        "they find peers with similar data beyond their neighbors, and pull from them by a "
        "connection of its own. For rings and other sparse graphs (docs/protocol.md).",
        ge=1,
        le=10_000,
    )
    recalibrate_trained: bool = _setting(
        Heading.METHOD,
        False,
        "Compute BatchNorm statistics anew also in the model after local training, where it is "
        "evaluated and deployed; neighbors get it as it was trained. Fair to methods that deploy "
        "that model.",
    )
    wire_dtype: Dtype = _setting(
        Heading.METHOD, Dtype.FLOAT32, "Type of weights on the wire; float16 halves the bytes."
    )
    pull: PullPart = _setting(
        Heading.METHOD,
        PullPart.WHOLE,
        "Pull a donor's whole slim model, or only the channels that both models keep (then no "
        "channel returns from the group).",
    )

    fan_in: int | None = _setting(
        Heading.BASELINES,
        None,
        "Models that a peer averages in a round, where the baseline draws or ranks peers.",
        unset="mean group size - 1; with --participation, of the peers that take part in a round",
        ge=1,
    )
    density: float = _setting(
        Heading.BASELINES, 0.5, "Fraction of the weights that dis-pfl-erk keeps.", gt=0, le=1
    )
    pens_sampled: int | None = _setting(
        Heading.BASELINES,
        None,
        "Models that pens pulls and tries in a round.",
        unset="5 times --fan-in",
        ge=1,
    )
    pens_rounds: int | None = _setting(
        Heading.BASELINES,
        None,
        "Rounds in which pens tries models.",
        unset="half of the rounds",
        ge=0,
    )

    finetune_epochs: int = _setting(
        Heading.BASELINES,
        10,
        "Passes over the local data after the last average, in fedavg-ft and d-psgd-ft.",
        ge=1,
    )
    finetune_rate: float = _setting(
        Heading.BASELINES,
        0.02,
        "Learning rate of SGD in the fine-tuning of fedavg-ft and d-psgd-ft; it does not decay.",
        gt=0,
    )
    ditto_lambda: float = _setting(
        Heading.BASELINES,
        1.0,
        "How much ditto draws a peer's personal model to the common one; 0 = local training.",
        ge=0,
    )
    dac_temperature: float = _setting(
        Heading.BASELINES,
        20.0,
        "tau of dac: neighbors are drawn by the softmax of tau / loss; 0 = uniformly.",
        ge=0,
    )

    network: NetworkKind = _setting(
        Heading.NETWORK,
        NetworkKind.AUTO,
        "loopback: plain TCP on one host. namespaces: a network namespace for each peer, with "
        "real rates and link faults; needs no root (see prisam doctor), but with --on, on every "
        "host. auto: namespaces if links of the topology or faults need them and this machine "
        "can; with --on, loopback, which is then plain TCP between the hosts.",
        common=True,
    )
    security: Security = _setting(
        Heading.NETWORK,
        Security.AUTO,
        "plain: connections are not encrypted. curve: they are, and only the keys of neighbors "
        "may connect. auto: curve if a peer is on another machine.",
    )
    chunk_kib: int = _setting(
        Heading.NETWORK, 1024, "Size of the chunks in which weights are sent.", ge=256, le=1024
    )
    start: Start = _setting(
        Heading.NETWORK,
        Start.ZYGOTE,
        "Start peers by forking a process that has loaded torch (zygote), or as fresh "
        "interpreters (spawn).",
    )
    turns: bool = _setting(
        Heading.NETWORK,
        True,
        "At most as many full-speed devices train at a time as the host has cores: less memory "
        "and CPU time, the same results.",
    )

    on: EngineName = _setting(
        Heading.HOSTS,
        EngineName.NONE,
        "Where the peers run. none: here, as child processes of the launcher. ray: on the nodes of "
        "a running Ray cluster (pip install 'prisam-p2p[ray]'). slurm: on the nodes of the "
        "allocation that the launcher is in. local: on this machine as if it were several hosts, "
        "to try things. Results are the same. docs/hosts.md",
        common=True,
    )
    hosts: int | None = _setting(
        Heading.HOSTS,
        None,
        "With --on: number of hosts to use, in the order in which the engine offers them.",
        common=True,
        unset="all that are offered; 2 with local",
        ge=1,
        le=1000,
    )
    placement: Placement | None = _setting(
        Heading.HOSTS,
        None,
        "With --on: which host each peer lives on. spread: hosts are loaded alike, by shares of "
        "their cores, memory and GPUs. group: peers with similar data share a host where they fit, "
        "so that fewer bytes pass between hosts. pin: as the table [hosts] of the topology says; "
        "the rest spread.",
        unset="that of the topology's [hosts], else spread",
    )
    lease_s: float = _setting(
        Heading.HOSTS,
        10.0,
        "With --on: a host whose agent was not heard for this long counts as lost, and an agent "
        "that does not hear the launcher for this long ends its peers. Higher values ride out "
        "longer breaks of the network between hosts, and delay what --on-host-loss does.",
        ge=1,
        le=3600,
    )
    on_host_loss: OnHostLoss = _setting(
        Heading.HOSTS,
        OnHostLoss.LOST,
        "With --on: what becomes of the peers of a lost host. lost: the others go on without them. "
        "restart: they start again on other hosts, from the state that was last collected.",
    )

    ready_timeout_s: float = _setting(
        Heading.TIMING, 120.0, "Time limit for all peers to start and connect.", gt=0
    )
    stall_timeout_s: float = _setting(
        Heading.TIMING,
        60.0,
        "A peer that is stopped or hangs is ended after this time and counts as lost; the others "
        "go on. One that computes, however slowly, or waits for others, is never ended. Raise it "
        "to look at a peer with a debugger.",
        ge=1,
    )
    round_timeout_s: float = _setting(
        Heading.TIMING, 120.0, "Longest wait for the masks of the neighbors in a round.", gt=0
    )
    round_deadline_k: float = _setting(
        Heading.TIMING,
        6.0,
        "A shorter wait for masks, learned from earlier rounds: deadline = median + k x MAD "
        "(median absolute deviation). Higher values tolerate slower rounds; 0 = wait up to "
        "--round-timeout-s.",
        ge=0,
    )
    pull_timeout_s: float = _setting(
        Heading.TIMING, 60.0, "A pull fails after this time without progress.", gt=0
    )
    pull_deadline_s: float = _setting(
        Heading.TIMING, 600.0, "Longest duration of all pulls of a round together.", gt=0
    )
    reconnect_timeout_s: float = _setting(
        Heading.TIMING,
        5.0,
        "A pull whose donor lost its connection waits this long for the donor to reconnect, and "
        "then continues where it stopped.",
        ge=0,
    )
    heartbeat_s: float = _setting(
        Heading.TIMING,
        1.0,
        "Interval between heartbeats to a neighbor, at least 0.1 s per neighbor. A neighbor that "
        "misses three is treated as gone until it answers. Raise it where the host is so busy "
        "that processes stop for seconds; higher values delay failure detection.",
        ge=1,
        le=2000,
    )

    @property
    def remembers(self) -> float:
        """The weight of earlier scores in an announced mask."""
        if self.similarity_memory is not None:
            return self.similarity_memory
        return _MEMORY_OF_W0 if self.similarity_by is SimilarityBy.GAMMA_OF_W0 else 0.0

    @property
    def built_in_algorithm(self) -> Algorithm:
        """The algorithm, where it is no users' code.

        Raises:
            ValueError: it is.
        """
        found = built_in(self.algorithm)
        if found is None:
            raise ValueError(f"{self.algorithm} is users' code")
        return found
