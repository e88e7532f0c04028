"""What a run can be told: the one list behind `--help`, `[run]` in a topology and plan.json.

The defaults are those of the default topology's run: scikit-learn's digits on VGG-S.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_ROUNDS = 100_000


class Algorithm(StrEnum):
    """What every peer does in a round."""

    PRISAM = "prisam"
    PRISAM_RANDOM = "prisam-random"
    LOCAL = "local"
    FEDAVG_RANDOM = "fedavg-random"
    DIS_PFL = "dis-pfl"
    DIS_PFL_ERK = "dis-pfl-erk"
    ORACLE = "oracle"
    ORACLE_PRUNED = "oracle-pruned"
    EXACT_SIMILARITY = "exact-similarity"
    D_PSGD = "d-psgd"
    D_PSGD_FT = "d-psgd-ft"
    PENS = "pens"


class Baseline(StrEnum):
    """What is run beside the algorithm, with the same peers and data: none, or an Algorithm."""

    NONE = "none"
    PRISAM = "prisam"
    PRISAM_RANDOM = "prisam-random"
    LOCAL = "local"
    FEDAVG_RANDOM = "fedavg-random"
    DIS_PFL = "dis-pfl"
    DIS_PFL_ERK = "dis-pfl-erk"
    ORACLE = "oracle"
    ORACLE_PRUNED = "oracle-pruned"
    EXACT_SIMILARITY = "exact-similarity"
    D_PSGD = "d-psgd"
    D_PSGD_FT = "d-psgd-ft"
    PENS = "pens"


class Split(StrEnum):
    """How the images are dealt to the peers."""

    CLUSTER_DIRICHLET = "cluster-dirichlet"
    CLUSTER_PATHOLOGICAL = "cluster-pathological"
    DIRICHLET = "dirichlet"
    PATHOLOGICAL = "pathological"
    IID = "iid"


class InitialWeights(StrEnum):
    """Whose W0 a peer begins with."""

    COMMON = "common"
    OWN = "own"


class PruneOrder(StrEnum):
    """Which of Algorithm 1's steps 7 (train) and 8 (prune) comes first."""

    AFTER_AGGREGATION = "after-aggregation"
    AFTER_TRAINING = "after-training"


class Grouping(StrEnum):
    """How a peer finds its group among the masks that it heard."""

    KMEANS = "kmeans"
    DBSCAN = "dbscan"
    TOP_M = "top-m"


class Dtype(StrEnum):
    """Floats of weights on the wire."""

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
    """How peer processes come to life."""

    ZYGOTE = "zygote"
    SPAWN = "spawn"


class NetworkKind(StrEnum):
    """What lies between the peers."""

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


SimilarityLayers = Annotated[str, StringConstraints(pattern=r"^(all|last-[1-9][0-9]*)$")]


class RunSettings(BaseModel):
    """The settings of a run. Field descriptions are the help texts; units stand in them."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    algorithm: Algorithm = Field(Algorithm.PRISAM, description="What every peer does in a round.")
    baseline: Baseline = Field(
        Baseline.NONE, description="Run this too, on the same peers and data, and compare."
    )
    rounds: int = Field(
        12, ge=1, le=MOST_ROUNDS, description="Rounds; each ends on an aggregation."
    )
    target_loss: float | None = Field(
        None, gt=0, description="A peer is done when its training loss is at most this. [off]"
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="A peer is done after so many evaluations without a better validation "
        "accuracy. [off]",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of everything random in the run.")

    dataset: str = Field(
        "digits",
        description="digits, fashion-mnist, cifar10, cifar100, svhn, folder (train/CLASS/*, "
        "test/CLASS/* images under --data-dir), or the path of an .npz with x_train, y_train, "
        "x_test, y_test.",
    )
    data_dir: Path | None = Field(None, description="Directory that holds the dataset.")
    download: bool = Field(False, description="Let torchvision download a missing dataset.")
    image_size: int | None = Field(
        None, ge=4, le=1024, description="Resize images to this many pixels a side. [the dataset's]"
    )
    split: Split = Field(Split.CLUSTER_PATHOLOGICAL, description="How images are dealt to peers.")
    groups: int = Field(
        3, ge=1, le=10_000, description="Groups of peers with similar data in a cluster split."
    )
    classes_per_group: int = Field(
        4, ge=1, description="Classes of a group (or of a peer) in a pathological split."
    )
    alpha: float = Field(0.2, gt=0, description="Concentration of a Dirichlet split.")
    images_per_peer: int = Field(
        40, ge=8, description="Training images of a peer, a fifth of them held for validation."
    )
    test_images_per_peer: int = Field(150, ge=1, description="Test images of a peer, at most.")

    model: str = Field(
        "vgg-s",
        description="vgg-s, vgg11, resnet20, resnet18, or a torchvision classifier with BN layers "
        "by its torchvision name (torchvision:resnet18 where the two collide).",
    )
    width: float = Field(1.0, gt=0, le=16, description="Factor on the channels of our own models.")
    initial_weights: InitialWeights = Field(
        InitialWeights.COMMON,
        description="Begin with a W0 common to all peers (the method), or each with its own: a "
        "negative control, masks then say nothing about the data.",
    )

    prune_ratio: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="rho of every peer: fraction of channels dropped. [from the device profiles]",
    )
    prune_order: PruneOrder = Field(
        PruneOrder.AFTER_AGGREGATION,
        description="Train the slim model (after-aggregation), or the union of the group's "
        "channels and prune then (after-training, Algorithm 1 to the letter).",
    )
    regrowth_every: int = Field(
        5,
        ge=0,
        description="With after-aggregation: every so many rounds train the union; 0 = never.",
    )
    accuracy_guard: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Lower rho by 0.05, as far as the budget lets, when validation accuracy falls "
        "this much below its best. [off]",
    )
    grouping: Grouping = Field(Grouping.KMEANS, description="How a peer finds its group.")
    clusters: int | None = Field(
        None, ge=1, description="k of K-means. [the number of groups in the data]"
    )
    dbscan_eps: float = Field(
        0.3, gt=0, le=1, description="DBSCAN's radius, a share of the compact mask's bits."
    )
    top_m: int = Field(4, ge=1, description="Neighbors that top-m chooses.")
    aggregation: Aggregation = Field(
        Aggregation.MEAN,
        description="How the group's values of a weight become one: mean (the paper), or median or "
        "trimmed-mean, which bear a minority of liars.",
    )
    norm_limit: float = Field(
        3.0,
        gt=1,
        description="A donor whose weights have a norm beyond so many times the group's median, or "
        "below that part of it, is left out of the round. 1e9 = never.",
    )
    similarity_layers: SimilarityLayers = Field(
        "all", description="Layers whose bits are announced: all, or last-N (last-3: fewer bytes)."
    )
    similarity_ratio: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Prune ratio of the announced mask, common to the run. [the largest rho; 0.5 "
        "where nobody prunes]",
    )
    bn_recalibration: bool = Field(
        True, description="Renew BN statistics by one pass over own data after aggregation."
    )
    fan_in: int | None = Field(
        None,
        ge=1,
        description="Peers whose models a baseline averages in a round, where it draws or ranks "
        "them. [mean group size - 1]",
    )
    density: float = Field(
        0.5, gt=0, le=1, description="Share of the weights that dis-pfl-erk keeps."
    )
    pens_sampled: int | None = Field(
        None, ge=1, description="Models that pens pulls and tries in a round. [5 times the fan-in]"
    )
    pens_rounds: int | None = Field(
        None, ge=0, description="Rounds in which pens tries models. [half of the rounds]"
    )

    evaluate_every: int = Field(
        1, ge=1, description="Rounds between evaluations; the last round is always evaluated."
    )

    epochs: int = Field(2, ge=1, description="Passes over the local data in a round.")
    warmup_epochs: int = Field(3, ge=1, description="Passes before the first mask.")
    batch_size: int = Field(16, ge=4, description="Images in a training step.")
    learning_rate: float = Field(0.05, gt=0, description="SGD's learning rate in round 0.")
    lr_decay: float = Field(0.9, gt=0, le=1, description="Factor on the learning rate per round.")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's momentum.")
    gamma_l1: float = Field(0.0, ge=0, description="L1 penalty on BN gammas (lambda).")

    round_timeout_s: float = Field(
        120.0, gt=0, description="Seconds a peer waits for its neighbors' masks in a round."
    )
    deadline_k: float = Field(
        6.0,
        ge=0,
        description="It waits no longer than the median of the last rounds and so many median "
        "absolute deviations; 0 = always up to --round-timeout-s.",
    )
    deadline_floor_s: float = Field(
        10.0, ge=0, description="Seconds beyond that median that it waits at least."
    )
    quorum: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the masks that must be here before it waits for less than "
        "--round-timeout-s.",
    )
    pull_timeout_s: float = Field(
        60.0, gt=0, description="Seconds without progress after which a pull is given up."
    )
    pull_deadline_s: float = Field(
        600.0, gt=0, description="Seconds after which all pulls of a round end."
    )
    ready_timeout_s: float = Field(
        120.0, gt=0, description="Seconds within which all peers must be up and connected."
    )
    pull_least_bytes_s: float = Field(
        1024.0, ge=0, description="A pull slower than this over --pull-timeout-s is given up."
    )
    resume_timeout_s: float = Field(
        5.0,
        ge=0,
        description="Seconds that a pull waits for a donor whose connection is gone to be back; "
        "it then goes on where it was.",
    )
    heartbeat_s: float = Field(
        1.0,
        ge=1,
        le=2000,
        description="Seconds between heartbeats to a neighbor, at least 0.1 for each neighbor; who "
        "answers none of three is gone until it is back. More where the host is so busy that "
        "processes stand still for seconds; who is cut off is then noticed as much later.",
    )
    serve_at_once: int = Field(
        4, ge=1, description="Peers that a donor sends weights to at a time; others wait."
    )
    wire_dtype: Dtype = Field(
        Dtype.FLOAT32, description="Floats of weights on the wire; float16 halves the bytes."
    )
    pull: PullPart = Field(
        PullPart.WHOLE,
        description="Pull a donor's whole slim model, or only its overlap with the own one "
        "(then no channel grows back from the group).",
    )
    chunk_kib: int = Field(1024, ge=256, le=1024, description="KiB of a chunk of weights.")
    turns: bool = Field(
        True,
        description="Full-speed devices train as many at a time as the host has cores: less "
        "memory and CPU, the same results.",
    )
    start: Start = Field(
        Start.ZYGOTE, description="Fork peers from a warm process, or spawn fresh interpreters."
    )
    network: NetworkKind = Field(
        NetworkKind.AUTO,
        description="What lies between the peers: plain loopback; a namespace for each, with real "
        "rates and link faults, no root needed (prisam doctor); or auto: namespaces where the "
        "topology's links or the faults ask for them and this machine can.",
    )
    security: Security = Field(
        Security.AUTO,
        description="Connections between peers: plain; curve, encrypted and only between the keys "
        "of neighbors; or auto: curve where a peer is beyond this machine.",
    )
    device: Device = Field(Device.CPU, description="What trains.")
