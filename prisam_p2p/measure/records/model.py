"""A peer's model in a round: its data, training, mask and accuracy, and the model that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DataChanged:
    """From this round on a peer has other images, which its plan has from round `since` on.

    Attributes:
        fault: id of the fault that gives them; "": what one took away is back.
        group: data group of most of them.
        train, validation, test: number of images of each kind.
        new: training images that it did not have before.
    """

    round: int
    since: int
    fault: str
    group: int | None
    train: int
    validation: int
    test: int
    new: int


@dataclass(frozen=True, slots=True)
class Trained:
    """One round's local training; asked and achieved speed relative to this host.

    Attributes:
        macs: multiply-accumulates of one image's forward pass through the network trained.
        training_macs: those of this whole training, forward and backward.
    """

    round: int
    epochs: int
    steps: int
    images: int
    loss: float | None
    learning_rate: float
    parameters: int
    cpu_s: float
    wall_s: float
    speed_asked: float
    speed_achieved: float | None
    macs: int | None = None
    training_macs: int | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """W0 was trained on this peer's data, to make its mask; fields as of `Trained`."""

    round: int
    epochs: int
    steps: int
    images: int
    loss: float | None
    learning_rate: float
    parameters: int
    cpu_s: float
    wall_s: float
    speed_asked: float
    speed_achieved: float | None
    macs: int | None = None
    training_macs: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Models were evaluated on this peer's training images, to choose among them.

    Attributes:
        round: the current round; before the first one, 0.
        models: number of models.
        images: images that went through all of them together, one pass each.
        macs: multiply-accumulates of all these forward passes together.
    """

    round: int
    models: int
    images: int
    macs: int


@dataclass(frozen=True, slots=True)
class Differentiated:
    """Gradients of one batch were computed, to choose the weights that regrow.

    Attributes:
        macs: multiply-accumulates of the batch's forward and backward pass.
    """

    round: int
    images: int
    macs: int


@dataclass(frozen=True, slots=True)
class Regrown:
    """This round's training tried so many regrown channels; pruning let so many of them stay."""

    round: int
    tried: int
    stayed: int


@dataclass(frozen=True, slots=True)
class Masked:
    """The structure mask that this round's weights are pruned to, and what is announced."""

    round: int
    prune_ratio: float
    structure: str
    similarity: str


@dataclass(frozen=True, slots=True)
class MaskNoised:
    """So many bits of this round's similarity mask were flipped at random (--mask-noise)."""

    round: int
    epsilon: float
    flipped: int
    n_bits: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Accuracy in [0, 1] of one of the round's models.

    Attributes:
        right: test images of each class that were classified rightly.
        of: test images of each class.
    """

    round: int
    moment: str
    validation: float
    test: float
    right: list[int] = field(default_factory=list)
    of: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GuardActed:
    """Validation accuracy fell too far: the prune ratio goes down as far as the budget lets."""

    round: int
    validation: float
    best: float
    prune_ratio: float


@dataclass(frozen=True, slots=True)
class Deployed:
    """The model that this device keeps: the better of the two on its validation images."""

    moment: str
    validation: float
    test: float
    prune_ratio: float
    parameters: int
    macs: int
    n_bytes: int
    digest: str
