"""Numbers of images per class: round shares to whole numbers. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError

Counts = npt.NDArray[np.int64]
Mixes = npt.NDArray[np.float64]


def training_counts(
    n_images: int, mixes: Mixes, pool_sizes: Counts, rng: np.random.Generator
) -> Counts:
    """Draw the number of images of each class for each peer.

    Args:
        n_images: of each peer.
        mixes: shape (n_peers, n_classes), rows of sum 1.
        pool_sizes: images that exist of each class, shape (n_classes,).

    Returns:
        Shape (n_peers, n_classes), rows of sum `n_images`.

    Raises:
        ConfigError: a peer needs more images of a class than exist; names the most that work.
    """
    starts = rng.random((len(mixes), 1))
    order = rng.permuted(np.tile(np.arange(len(pool_sizes)), (len(mixes), 1)), axis=1)
    counts = _rounded(n_images, mixes, starts, order)
    if (counts <= pool_sizes).all():
        return counts
    c = int((counts - pool_sizes).max(axis=0).argmax())
    most = min(n_images, int(((pool_sizes + 2) / mixes.max(axis=0).clip(1e-12)).min()) + 1)
    while most > 1 and (_rounded(most, mixes, starts, order) > pool_sizes).any():
        most -= 1
    right = f"at most {most} with this split (class {c} has {pool_sizes[c]} training images)"
    raise ConfigError("--images-per-peer", "", n_images, right)


def _rounded(total: int, mixes: Mixes, starts: Mixes, order: npt.NDArray[np.int64]) -> Counts:
    """Round total * mixes to whole numbers with the row sums `total`, without bias.

    Each count is one of the two whole numbers next to its share: systematic sampling (W. G. and
    L. H. Madow 1944) from `starts`, shape (n, 1), in [0, 1), over the classes in the `order` of
    each row. Thus some peers have a rare class that plain rounding would lose.
    """
    edges = np.cumsum(np.take_along_axis(mixes, order, axis=1), axis=1)
    edges /= edges[:, -1:]  # makes the last edge exactly 1, so that counts sum to `total`
    ends = np.minimum(np.floor(edges * total + starts), total).astype(np.int64)
    in_order = np.diff(ends, axis=1, prepend=0)
    counts = np.empty_like(in_order)
    np.put_along_axis(counts, order, in_order, axis=1)
    return counts


def apportioned(total: int, weights: Counts, rng: np.random.Generator) -> Counts:
    """Divide `total` in proportion to `weights`, by the largest-remainder method.

    Ties go to the larger weight, then at random. If total <= sum(weights), no part exceeds its
    weight.

    Args:
        weights: whole numbers, shape (n,), not all 0.

    Returns:
        Whole numbers, shape (n,), of sum `total`.
    """
    parts, remainders = np.divmod(total * weights, weights.sum())
    first = np.lexsort((rng.permutation(len(weights)), -weights, -remainders))
    parts[first[: total - parts.sum()]] += 1
    return parts
