"""Whose weights are too large, or too small, to be averaged: the check that needs the others' too.

Shape and finiteness are a matter of one donor's weights; this is one of all that arrived.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.layout import Array, Layout, Weights, narrow
from prisam_p2p.core.similarity import PeerId


def norm_ratios(layout: Layout, own: Weights, pulled: Mapping[PeerId, Weights]) -> dict[str, float]:
    """Return, for each donor, its weights' L2 norm over the own ones', of what both retain.

    Trained parameters only: a device's BN statistics follow from its data. All of a network are
    one vector, so that a small layer does not stand out by chance. 1 = as large as the own ones.

    Source: the norm is the usual first test of robust aggregation (e.g. Z. Sun et al., "Can You
        Really Backdoor Federated Learning?", 2019); the overlap is ours, for slim networks.
    """
    return {donor: _ratio(layout, weights, own) for donor, weights in pulled.items()}


def outliers(ratios: Mapping[PeerId, float], limit: float) -> dict[PeerId, float]:
    """Return the donors whose ratio is more than `limit` times the median, or less than a
    `limit`-th of it, each with how many times it is.

    The median is over the donors and the own weights, whose ratio is 1. Of the middle two of an
    even number, the one nearer to the own counts: half of the members may lie.

    Args:
        limit: above 1.
    """
    middle = _median([*ratios.values(), 1.0])
    times = {donor: _over(ratio, middle) for donor, ratio in ratios.items()}
    return {donor: x for donor, x in times.items() if not 1 / limit <= x <= limit}


def _median(ratios: list[float]) -> float:
    ratios = sorted(ratios)
    low, high = ratios[(len(ratios) - 1) // 2], ratios[len(ratios) // 2]
    return min(low, high, key=lambda ratio: _distance(ratio))


def _distance(ratio: float) -> float:
    """Return how far a ratio is from 1, as far for a half as for a double."""
    return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf


def _ratio(layout: Layout, weights: Weights, own: Weights) -> float:
    both = weights.mask & own.mask
    theirs, ours = 0.0, 0.0
    for tensor in layout.tensors:
        if tensor.trainable:  # one at a time: a small device has no room for a second network
            alone = Layout(layout.sets, (tensor,))
            theirs += _squares(narrow(alone, weights, both).tensors[tensor.name])
            ours += _squares(narrow(alone, own, both).tensors[tensor.name])
    return _over(math.sqrt(theirs), math.sqrt(ours))


def _squares(array: Array) -> float:
    return float(np.square(array, dtype=np.float64).sum())


def _over(part: float, whole: float) -> float:
    if whole == 0:
        return 1.0 if part == 0 else math.inf
    return part / whole
