"""What a rude peer makes of a mask or of weights. Pure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Array, Layout, Mask, Weights


def shuffled(layout: Layout, mask: Mask, draws: np.random.Generator) -> Mask:
    """Return a random mask that keeps as many channels of every set as `mask` does.

    Args:
        mask: of all sets, or of the last ones (a similarity mask).
    """
    first, lie = layout.n_bits - len(mask), mask.copy()
    for span in layout.spans:
        if span.start >= first:
            own = slice(span.start - first, span.stop - first)
            lie[own] = draws.permutation(mask[own])
    return lie


def with_nan(layout: Layout, weights: Weights) -> Weights:
    """Return the weights with NaN all over the first trained tensor."""
    name = next(tensor.name for tensor in layout.tensors if tensor.trainable)
    nothing: Array = np.full_like(weights.tensors[name], np.nan)
    return Weights(weights.mask, weights.tensors | {name: nothing})


def times(layout: Layout, weights: Weights, factor: float) -> Weights:
    """Return the weights with every trained parameter times `factor`.

    BN statistics stay true: a negative variance would give the lie away at once.
    """
    tensors = dict(weights.tensors)
    for tensor in layout.tensors:
        if tensor.trainable:
            array: npt.NDArray[np.floating[Any]] = np.asarray(tensors[tensor.name], np.float32)
            with np.errstate(over="ignore"):
                tensors[tensor.name] = array * np.float32(factor)
    return Weights(weights.mask, tensors)


class Tally:
    """Counts lies, of any thread, and tells the 1st, 2nd, 4th, 8th, .."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._count, self._lock = tell, 0, threading.Lock()

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1
            count = self._count
        if count.bit_count() == 1:
            self._tell(count)
