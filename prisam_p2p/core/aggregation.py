"""Average slim networks where they overlap (PRISAM, section IV-C; Algorithm 1, steps 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Array, Layout, Mask, TensorLayout, Weights
from prisam_p2p.core.similarity import PeerId


def aggregate(layout: Layout, members: Mapping[PeerId, Weights]) -> tuple[Weights, Mask]:
    """Return, per weight, the plain mean over the members that retain it.

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
    tensors = {t.name: _mean_over_retainers(t, ordered) for t in layout.tensors}
    return Weights(layout.full_mask(), tensors), union


def _mean_over_retainers(tensor: TensorLayout, members: list[Weights]) -> Array:
    if tensor.dtype.kind == "i":
        return np.asarray(np.maximum.reduce([w.tensors[tensor.name] for w in members]))
    total = np.zeros(tensor.shape, np.float32)
    retainers = np.zeros(_governed_shape(tensor), np.float32)
    for weights in members:
        kept = tensor.kept(weights.mask)
        total[np.ix_(*kept) if kept else ()] += np.asarray(weights.tensors[tensor.name], np.float32)
        retainers[_governed(tensor, kept)] += 1
    return np.asarray(total / np.maximum(retainers, 1), np.float32)


def _governed_shape(tensor: TensorLayout) -> tuple[int, ...]:
    """Retention varies along governed axes only: the others have length 1 and broadcast."""
    return tuple(n if axis in tensor.bits else 1 for axis, n in enumerate(tensor.shape))


def _governed(
    tensor: TensorLayout, kept: tuple[npt.NDArray[np.intp], ...]
) -> tuple[npt.NDArray[np.intp], ...]:
    zero = np.zeros(1, np.intp)
    axes = [positions if axis in tensor.bits else zero for axis, positions in enumerate(kept)]
    return np.ix_(*axes) if axes else ()
