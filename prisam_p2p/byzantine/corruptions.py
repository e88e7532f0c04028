"""False masks and false weights. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Array, Layout, Mask, Weights


def shuffled(layout: Layout, mask: Mask, draws: np.random.Generator) -> Mask:
    """Return a random mask that keeps as many channels of each channel set as `mask` does.

    Args:
        mask: of all sets, or of the last ones (a similarity mask), shape (n_bits,).
    """
    first, false_mask = layout.n_bits - len(mask), mask.copy()
    for span in layout.spans:
        if span.start >= first:
            own = slice(span.start - first, span.stop - first)
            false_mask[own] = draws.permutation(mask[own])
    return false_mask


def with_nan(layout: Layout, weights: Weights) -> Weights:
    """Return the weights with the first trainable tensor all NaN."""
    name = next(tensor.name for tensor in layout.tensors if tensor.trainable)
    nothing: Array = np.full_like(weights.tensors[name], np.nan)
    return Weights(weights.mask, weights.tensors | {name: nothing})


def times(layout: Layout, weights: Weights, factor: float) -> Weights:
    """Return the weights with every trainable parameter times `factor`.

    BN statistics are unchanged: a negative variance would reveal the attack at once.
    """
    tensors = dict(weights.tensors)
    for tensor in layout.tensors:
        if tensor.trainable:
            array: npt.NDArray[np.floating[Any]] = np.asarray(tensors[tensor.name], np.float32)
            with np.errstate(over="ignore"):
                tensors[tensor.name] = array * np.float32(factor)
    return Weights(weights.mask, tensors)
