"""Average slim networks where they overlap (PRISAM, section IV-C; Algorithm 1, steps 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Array, Layout, Mask, PeerId, TensorLayout, Weights
from prisam_p2p.core.robust import median_over_retainers, trimmed_mean_over_retainers
from prisam_p2p.settings import Aggregation


def aggregate(
    layout: Layout, members: Mapping[PeerId, Weights], aggregation: Aggregation = Aggregation.MEAN
) -> tuple[Weights, Mask]:
    """Average each weight over the members that retain it.

    A member retains a convolution's weight if its mask keeps both the out-channel and the
    in-channel; BN gamma, beta, running mean and variance if it keeps the channel; a column of the
    classifier if it keeps that channel of the last layer. Counters take the maximum.

    Args:
        members: slim weights by peer id. They are summed in ascending order of the ids, so the
            mapping's order does not change a bit of the result.
        aggregation: plain mean, median or trimmed mean.

    Returns:
        The weights in full coordinates (mask all ones), zero where no member retains them, and
        the union of the members' masks, shape (layout.n_bits,): the channels that exist.

    Raises:
        ValueError: there are no members.

    Source: PRISAM, section IV-C (the mean); median and trimmed mean: core/robust.py.
    """
    if not members:
        raise ValueError("no members to aggregate")
    ordered = [members[peer] for peer in sorted(members)]
    union = np.logical_or.reduce([weights.mask for weights in ordered])
    tensors = {t.name: _average(t, ordered, aggregation) for t in layout.tensors}
    return Weights(layout.full_mask(), tensors), union


def votes(members: Mapping[PeerId, Weights]) -> npt.NDArray[np.float64]:
    """Return the share of the members that retain each channel, shape (layout.n_bits,).

    A mean gamma over the retainers times this is the mean over all members, where a member that
    dropped the channel counts as 0: one retainer among many then ranks low.

    Raises:
        ValueError: there are no members.
    """
    if not members:
        raise ValueError("no members to count")
    masks = [weights.mask for weights in members.values()]
    return np.asarray(np.mean(masks, axis=0, dtype=np.float64))


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
    # The number of retainers varies along governed axes only; it broadcasts over the others.
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
