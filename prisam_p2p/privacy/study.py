"""Attack masks with and without noise, and see what the noise leaves of the signal for groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.grouping import kmeans
from prisam_p2p.core.mask_noise import noise_generator, with_noise
from prisam_p2p.learn.datasets import Dataset
from prisam_p2p.learn.splits import SplitRequest
from prisam_p2p.privacy.attack import Devices, class_presence_auc, similarity_correlation
from prisam_p2p.privacy.devices import deal, devices_of, train_devices
from prisam_p2p.report.groups import mean_rand_index
from prisam_p2p.settings import RunSettings, Split

_OF_IMAGES = 6
"""Draw the images of devices apart from those of a run of the same seed."""

GROUPED = 20
"""Devices that are grouped by their masks."""


@dataclass(frozen=True)
class AttackPlan:
    """What is measured: numbers of devices, the epsilons (None = no noise), and repeats."""

    shadows: int
    victims: int
    epsilons: Sequence[float | None]
    repeats: int


@dataclass(frozen=True)
class Figures:
    """A mean over the repeats, and their standard deviation; None where it is not known."""

    mean: float | None
    spread: float | None


@dataclass(frozen=True)
class Outcome:
    """What an attacker reads from one mask at an epsilon, and what groups are still found.

    Attributes:
        auc: of class presence (attack.py).
        correlation: of mask similarity and class similarity, over pairs of victims.
        ari: adjusted Rand index of K-means of `GROUPED` devices of a cluster split.
    """

    epsilon: float | None
    auc: Figures
    correlation: Figures
    ari: Figures


@dataclass(frozen=True)
class _Trained:
    """The devices of one repeat, before noise; a row for each."""

    shadows: Devices
    victims: Devices
    grouped: Devices
    groups: Sequence[int]


def study(
    settings: RunSettings, dataset: Dataset, asked: AttackPlan, told: Callable[[str], None]
) -> list[Outcome]:
    """Train devices, attack their masks, and return an outcome for each epsilon.

    Args:
        told: is told how far it is.

    Raises:
        ConfigError: there are too few images.
    """
    found: dict[float | None, list[tuple[float | None, ...]]] = {e: [] for e in asked.epsilons}
    for repeat in range(asked.repeats):
        own = settings.model_copy(update={"seed": settings.seed + repeat})
        told(f"seed {own.seed}: training {asked.shadows + asked.victims + GROUPED} devices")
        trained = _train(own, dataset, asked)
        for epsilon in asked.epsilons:
            found[epsilon].append(_measure(own, trained, epsilon))
    return [
        Outcome(epsilon, *(_figures(values) for values in zip(*rows, strict=True)))
        for epsilon, rows in found.items()
    ]


def _train(settings: RunSettings, dataset: Dataset, asked: AttackPlan) -> _Trained:
    """Train the attacker's devices on one half of the training images, the others on the rest."""
    rng = np.random.default_rng([settings.seed, _OF_IMAGES])
    shuffled = rng.permutation(len(dataset.train_labels))
    attackers, others = np.sort(shuffled[::2]), np.sort(shuffled[1::2])
    given = (settings.groups, settings.classes_per_group, settings.alpha, settings.images_per_peer)
    of_each = SplitRequest(Split.PATHOLOGICAL, *given, settings.test_images_per_peer)
    of_groups = replace(of_each, kind=Split.CLUSTER_PATHOLOGICAL)
    data = {
        "shadow": deal(dataset, attackers, of_each, _names("s", asked.shadows), rng),
        "victim": deal(dataset, others, of_each, _names("v", asked.victims), rng),
        "grouped": deal(dataset, others, of_groups, _names("g", GROUPED), rng),
    }
    together = {name: each for part in data.values() for name, each in part.items()}
    masks = train_devices(settings, dataset, together)
    rows = {kind: devices_of(masks, part, dataset) for kind, part in data.items()}
    groups = [each.group or 0 for each in data["grouped"].values()]
    return _Trained(rows["shadow"], rows["victim"], rows["grouped"], groups)


def _measure(
    settings: RunSettings, trained: _Trained, epsilon: float | None
) -> tuple[float | None, ...]:
    """Return AUC, correlation and adjusted Rand index of one repeat."""
    shadows, victims, grouped = (
        _noisy(devices, settings.seed, kind, epsilon)
        for kind, devices in enumerate([trained.shadows, trained.victims, trained.grouped])
    )
    masks = {f"{i:04d}": PackedMask.pack(row) for i, row in enumerate(grouped.masks)}
    labels = kmeans(masks, settings.groups, settings.seed, 0).labels
    ari = mean_rand_index(dict(zip(masks, trained.groups, strict=True)), [labels])
    return class_presence_auc(shadows, victims), similarity_correlation(victims), ari


def _noisy(devices: Devices, seed: int, kind: int, epsilon: float | None) -> Devices:
    """Return the devices as they announce themselves; the attacker adds noise to its own, too."""
    if epsilon is None:
        return devices
    rows: list[npt.NDArray[np.bool_]] = [
        with_noise(mask, epsilon, noise_generator(seed, index, kind))
        for index, mask in enumerate(devices.masks)
    ]
    return replace(devices, masks=np.stack(rows))


def _figures(values: Sequence[float | None]) -> Figures:
    known = [value for value in values if value is not None]
    if not known:
        return Figures(None, None)
    return Figures(fmean(known), stdev(known) if len(known) > 1 else None)


def _names(letter: str, n: int) -> list[str]:
    return [f"{letter}{i:04d}" for i in range(n)]
