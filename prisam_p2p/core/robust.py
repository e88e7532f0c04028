"""Byzantine-robust averages: median and trimmed mean of each weight over its retainers.

A minority of Byzantine members cannot move them far. With few members they use less of the data
than the mean does.

Source: D. Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates",
ICML 2018 (coordinate-wise median and trimmed mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Array, TensorLayout, Weights

TRIMMED_SHARE = 0.2
"""Share of a weight's values to discard at each end, rounded down; of three or four values, one."""

Floats = npt.NDArray[np.floating[Any]]


def median_over_retainers(tensor: TensorLayout, members: Sequence[Weights]) -> Array:
    """Return the median of each weight; with an even number, the mean of the middle two.

    Args:
        members: slim weights; those that retain an entry count for it.

    Returns:
        Shape tensor.shape, float32; 0 where no member retains the entry.
    """
    values, count = _sorted(tensor, members)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    middle = (_at(values, low) + _at(values, np.minimum(high, np.maximum(count - 1, 0)))) / 2
    return np.where(count > 0, middle, 0).astype(np.float32)


def trimmed_mean_over_retainers(tensor: TensorLayout, members: Sequence[Weights]) -> Array:
    """Return the mean of each weight without its extreme values (see TRIMMED_SHARE).

    Args:
        members: slim weights; those that retain an entry count for it.

    Returns:
        Shape tensor.shape, float32; 0 where no member retains the entry.
    """
    values, count = _sorted(tensor, members)
    trimmed = np.maximum((TRIMMED_SHARE * count).astype(np.int64), count >= 3)
    place = np.arange(len(members)).reshape(-1, *(1,) * len(tensor.shape))
    inside = (place >= trimmed) & (place < count - trimmed)
    total = np.where(inside, values, 0).sum(axis=0, dtype=np.float32)
    return np.asarray(total / np.maximum(inside.sum(axis=0), 1), np.float32)


def _sorted(
    tensor: TensorLayout, members: Sequence[Weights]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Sort each weight's values over the members.

    Returns:
        The values, shape (members, *tensor.shape), ascending along axis 0 with infinity for
        members that do not retain the entry; and the number of retainers, shape tensor.shape.
    """
    values = np.full((len(members), *tensor.shape), np.inf, np.float32)
    for row, weights in zip(values, members, strict=True):
        row[tensor.at(weights.mask)] = weights.tensors[tensor.name]
    values.sort(axis=0)
    return values, np.isfinite(values).sum(axis=0)


def _at(values: Floats, index: npt.NDArray[np.int64]) -> Floats:
    found = np.take_along_axis(values, index[None], axis=0)[0]
    return np.where(np.isfinite(found), found, 0)
