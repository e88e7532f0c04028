"""Devices that are trained from W0 as those of a run are in round 0, and their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Layout, widen
from prisam_p2p.core.masks import importance, similarity_mask
from prisam_p2p.learn.datasets import Dataset
from prisam_p2p.learn.learner import Learner
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.pace import Pace
from prisam_p2p.learn.shared_data import open_shared, share
from prisam_p2p.learn.splits import PeerData, SplitRequest, draw_split
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.training import Hyperparameters
from prisam_p2p.privacy.attack import Bits, Devices
from prisam_p2p.settings import RunSettings

RATIO = 0.5
"""Prune ratio of the masks, unless --similarity-ratio or --prune-ratio says otherwise."""


def architecture_of(settings: RunSettings, dataset: Dataset) -> Architecture:
    """Return the network that all devices train."""
    like = (dataset.n_classes, dataset.image_shape, dataset.dtype)
    return Architecture(settings.model, settings.width, *like, None)


def deal(
    dataset: Dataset,
    pool: npt.NDArray[np.int64],
    request: SplitRequest,
    names: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, PeerData]:
    """Partition the training images in `pool` among devices, as a run does.

    Args:
        pool: indices into the training images.

    Raises:
        ConfigError: there are too few images.
    """
    labels = dataset.train_labels[pool]
    dealt = draw_split(request, names, labels, dataset.test_labels, dataset.n_classes, rng)
    return {
        name: replace(each, train=pool[each.train], validation=pool[each.validation])
        for name, each in dealt.items()
    }


def train_devices(
    settings: RunSettings, dataset: Dataset, data: Mapping[str, PeerData]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return device -> the similarity mask that it announces in round 0, with no noise."""
    architecture = architecture_of(settings, dataset)
    layout = layout_of(architecture)
    shared, rows = share(dataset, data)
    with closing(shared):
        images, labels = open_shared(shared)
        how = Hyperparameters(
            settings.batch_size,
            settings.momentum,
            settings.gamma_l1,
            settings.weight_decay,
            settings.flips,
        )
        return {
            name: _mask(
                Learner(architecture, images, labels, rows[name], how, _seed(settings, n), "cpu"),
                layout,
                settings,
            )
            for n, name in enumerate(data)
        }


def devices_of(
    masks: Mapping[str, npt.NDArray[np.bool_]], data: Mapping[str, PeerData], dataset: Dataset
) -> Devices:
    """Return the masks as rows, with the classes of each device's training images."""
    return Devices(np.stack([masks[name] for name in data]), _classes(data, dataset))


def _classes(data: Mapping[str, PeerData], dataset: Dataset) -> Bits:
    has = np.zeros((len(data), dataset.n_classes), np.bool_)
    for row, each in enumerate(data.values()):
        has[row, dataset.train_labels[each.train]] = True
    return has


def _mask(learner: Learner, layout: Layout, settings: RunSettings) -> npt.NDArray[np.bool_]:
    w0 = learner.initial_weights(settings.seed)
    trained, _ = learner.train(
        w0,
        round_index=0,
        epochs=settings.warmup_epochs,
        learning_rate=settings.learning_rate,
        pace=Pace(1.0, lambda _: None),
    )
    scores = importance(layout, widen(layout, trained).tensors)
    ratio = next((r for r in (settings.similarity_ratio, settings.prune_ratio) if r), RATIO)
    return similarity_mask(layout, scores, ratio, settings.similarity_layers)


def _seed(settings: RunSettings, index: int) -> int:
    return int(np.random.SeedSequence([settings.seed, index]).generate_state(1)[0])
