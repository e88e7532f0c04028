"""Find donors whose weights' norm is out of line with the other members' (outlier check).

Shapes and finiteness are checked donor by donor, elsewhere; this check compares all donors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.layout import Array, Layout, PeerId, Weights, narrow


def norm_ratios(layout: Layout, own: Weights, pulled: Mapping[PeerId, Weights]) -> dict[str, float]:
    """Return, for each donor, the L2 norm of its weights divided by that of `own`.

    Both norms are over the weights that the donor and `own` retain. Only trainable parameters
    count, because BN statistics depend on the data. The whole network is one vector, so that a
    small layer does not stand out by chance.

    Returns:
        Donor -> ratio; 1 = equal norms, inf where only the own norm is 0.

    Source: the norm is the usual first test of robust aggregation (e.g. Z. Sun et al., "Can You
        Really Backdoor Federated Learning?", 2019); the overlap is ours, for slim networks.
    """
    return {donor: _ratio(layout, weights, own) for donor, weights in pulled.items()}


def outliers(ratios: Mapping[PeerId, float], limit: float) -> dict[PeerId, float]:
    """Return the donors whose ratio is above `limit` times the median or below 1 / `limit` of it.

    The median is over the donors and the own weights, whose ratio is 1. With an even number, it
    is the one of the middle two that is nearer to 1, so that up to half of the members may be
    Byzantine.

    Args:
        ratios: as of `norm_ratios`.
        limit: above 1.

    Returns:
        Outlying donor -> its ratio divided by the median.
    """
    middle = _median([*ratios.values(), 1.0])
    times = {donor: _over(ratio, middle) for donor, ratio in ratios.items()}
    return {donor: x for donor, x in times.items() if not 1 / limit <= x <= limit}


def _median(ratios: list[float]) -> float:
    ratios = sorted(ratios)
    low, high = ratios[(len(ratios) - 1) // 2], ratios[len(ratios) // 2]
    return min(low, high, key=lambda ratio: _distance(ratio))


def _distance(ratio: float) -> float:
    """Return the distance of a ratio from 1 on a log scale: 1/2 is as far as 2."""
    return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf


def _ratio(layout: Layout, weights: Weights, own: Weights) -> float:
    both = weights.mask & own.mask
    theirs, ours = 0.0, 0.0
    for tensor in layout.tensors:
        if tensor.trainable:  # one at a time: a small device cannot hold a second network
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
