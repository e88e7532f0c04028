"""Draw the class distribution (*mix*) of each peer's images, by the kind of split. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.split_counts import Counts, Mixes
from prisam_p2p.settings import Split

CLUSTER_SPLITS = (Split.CLUSTER_DIRICHLET, Split.CLUSTER_PATHOLOGICAL)
PATHOLOGICAL_SPLITS = (Split.CLUSTER_PATHOLOGICAL, Split.PATHOLOGICAL)
ATTEMPTS = 100
"""Number of draws to find groups of which no two have the same classes."""


@dataclass(frozen=True)
class SplitRequest:
    """What to draw; fields are the settings of the same names, and `kind` is --split.

    A `kind` that is users' code is not drawn from a request, but tells two requests apart.

    Raises:
        ValueError: a number is too small to draw a split from.
    """

    kind: Split | str
    groups: int
    classes_per_group: int
    alpha: float
    images_per_peer: int
    test_images_per_peer: int

    def __post_init__(self) -> None:
        least = (self.groups, self.classes_per_group, self.test_images_per_peer)
        if min(least) < 1 or self.images_per_peer < 2 or not self.alpha > 0:
            raise ValueError(f"cannot draw a split from {self}")


def check_request(request: SplitRequest, n_peers: int, n_classes: int) -> None:
    """Check the request against the number of peers and of classes.

    Raises:
        ConfigError: more groups than peers, or more classes per group than there are classes.
    """
    groups, classes = request.groups, request.classes_per_group
    if request.kind in CLUSTER_SPLITS and groups > n_peers:
        raise ConfigError("--groups", "", groups, f"at most {n_peers}, the number of peers")
    if request.kind in PATHOLOGICAL_SPLITS and classes > n_classes:
        right = f"at most {n_classes}, the number of classes"
        raise ConfigError("--classes-per-group", "", classes, right)


def mix_of_peers(request: SplitRequest, n_peers: int) -> npt.NDArray[np.intp]:
    """Return the index of each peer's mix, shape (n_peers,), ascending from 0."""
    if request.kind is Split.IID:
        return np.zeros(n_peers, np.intp)
    if request.kind not in CLUSTER_SPLITS:
        return np.arange(n_peers)
    sizes = [len(block) for block in np.array_split(np.arange(n_peers), request.groups)]
    return np.repeat(np.arange(request.groups), sizes)


def draw_mixes(
    request: SplitRequest, n_mixes: int, pool_sizes: Counts, rng: np.random.Generator
) -> Mixes:
    """Draw the mixes.

    Args:
        pool_sizes: training images of each class, shape (n_classes,).

    Returns:
        Shape (n_mixes, n_classes), rows of sum 1.
    """
    n_classes = len(pool_sizes)
    if request.kind is Split.IID:
        shares: Mixes = pool_sizes / pool_sizes.sum()
        return shares[None]
    if request.kind in PATHOLOGICAL_SPLITS:
        chosen = _draw_classes(request, n_mixes, n_classes, rng)
        return chosen.astype(np.float64) / request.classes_per_group
    return rng.dirichlet(np.full(n_classes, request.alpha), n_mixes)


def _draw_classes(
    request: SplitRequest, n_mixes: int, n_classes: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draw `classes_per_group` classes for each mix, shape (n_mixes, n_classes), True = chosen.

    Classes are drawn without replacement until none is left, then from all of them again, so
    that their numbers of mixes differ by at most one. Two *groups* with the same classes would be
    one group, so the draw is repeated, up to `ATTEMPTS` times, until no two are equal.
    """
    n_each = request.classes_per_group
    distinct = request.kind is Split.CLUSTER_PATHOLOGICAL and n_mixes <= comb(n_classes, n_each)
    for _ in range(ATTEMPTS if distinct else 1):
        chosen = np.zeros((n_mixes, n_classes), np.bool_)
        left: list[int] = []
        for row in chosen:
            while row.sum() < n_each:
                left = left or rng.permutation(n_classes).tolist()
                drawn = next(c for c in left if not row[c])
                left.remove(drawn)
                row[drawn] = True
        if len(np.unique(chosen, axis=0)) == n_mixes:
            break
    return chosen
