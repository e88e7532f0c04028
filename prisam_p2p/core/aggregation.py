"""Average slim networks where they overlap (PRISAM, section IV-C; Algorithm 1, steps 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.layout import Array, Layout, Mask, TensorLayout, Weights
from prisam_p2p.core.robust import median_over_retainers, trimmed_mean_over_retainers
from prisam_p2p.core.similarity import PeerId
from prisam_p2p.settings import Aggregation


def aggregate(
    layout: Layout, members: Mapping[PeerId, Weights], aggregation: Aggregation = Aggregation.MEAN
) -> tuple[Weights, Mask]:
    """Return, per weight, the plain mean (or the median, ..) over the members that retain it.

    A convolution's weight is retained where its out-channel and its in-channel are; BN gamma,
    beta, running mean and variance by the channel; the classifier's columns by the last mask.
    Counters take the maximum. The members' order does not matter, to the last bit: they are
    summed by ascending peer id.

    Returns:
        The weights in full coordinates (mask all ones), zero where no member retains them, and
        the union of the members' masks: the channels that exist.

    Raises:
        ValueError: there are no members.
    """
    if not members:
        raise ValueError("nobody to aggregate")
    ordered = [members[peer] for peer in sorted(members)]
    union = np.logical_or.reduce([weights.mask for weights in ordered])
    tensors = {t.name: _average(t, ordered, aggregation) for t in layout.tensors}
    return Weights(layout.full_mask(), tensors), union


def _average(tensor: TensorLayout, members: list[Weights], aggregation: Aggregation) -> Array:
    if tensor.dtype.kind == "i":
        return np.asarray(np.maximum.reduce([w.tensors[tensor.name] for w in members]))
    match aggregation:
        case Aggregation.MEAN:
            return _mean_over_retainers(tensor, members)
        case Aggregation.MEDIAN:
            return median_over_retainers(tensor, members)
        case Aggregation.TRIMMED_MEAN:
            return trimmed_mean_over_retainers(tensor, members)


def _mean_over_retainers(tensor: TensorLayout, members: list[Weights]) -> Array:
    total = np.zeros(tensor.shape, np.float32)
    # Who retains an entry varies along governed axes only; beyond the last of them it broadcasts.
    n_leading = max(tensor.bits, default=-1) + 1
    retainers = np.zeros(tensor.shape[:n_leading], np.float32)
    for weights in members:
        kept = tensor.at(weights.mask)
        total[kept] += np.asarray(weights.tensors[tensor.name], np.float32)
        retainers[kept] += 1
    n_trailing = len(tensor.shape) - n_leading
    retainers = np.maximum(retainers, 1).reshape(retainers.shape + (1,) * n_trailing)
    total /= retainers
    return total
