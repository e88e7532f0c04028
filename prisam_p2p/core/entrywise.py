"""Unstructured sparsity as a layout: every weight has a mask bit of its own.

Trainable tensors are flattened, with one mask bit for each entry. Code for channel masks (slim
weights, flat buffers, the average over retainers) works on such a layout unchanged. The cost is a
mask of one bit per weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xxhash

from prisam_p2p.core.layout import ChannelSet, Layout, Mask, TensorLayout, Weights, narrow, widen


@dataclass(frozen=True)
class EntryLayout(Layout):
    """The layout of a network's entries.

    A channel set is a trainable tensor and a channel is one entry of it.

    Attributes:
        network: the layout of the same network by channels, with tensors in their own shapes.
    """

    network: Layout

    @cached_property
    def digest(self) -> bytes:
        """See Layout. It is derived from the network's digest, as hashing every bit is slow."""
        return xxhash.xxh3_128_digest(b"entries of " + self.network.digest)

    def governed(self) -> Iterator[tuple[TensorLayout, slice]]:
        """Yield each trainable tensor of the network, and the span of its bits in a mask."""
        trainable = (tensor for tensor in self.network.tensors if tensor.trainable)
        return zip(trainable, self.spans, strict=True)


def entrywise(network: Layout) -> EntryLayout:
    """Return the layout of the entries of `network`; statistics and counters are always kept."""
    sets: list[ChannelSet] = []
    tensors: list[TensorLayout] = []
    n_bits = 0
    for tensor in network.tensors:
        size = math.prod(tensor.shape)
        bits = {0: np.arange(n_bits, n_bits + size)} if tensor.trainable else {}
        tensors.append(TensorLayout(tensor.name, (size,), tensor.dtype, tensor.trainable, bits))
        if tensor.trainable:
            sets.append(ChannelSet(tensor.name, size, ()))
            n_bits += size
    return EntryLayout(tuple(sets), tuple(tensors), network)


def entries_of(layout: EntryLayout, network: Weights, mask: Mask) -> Weights:
    """Return the entries that `mask` keeps.

    Args:
        network: weights in full coordinates of `layout.network`.
        mask: shape (layout.n_bits,).

    Returns:
        Weights of `layout`, each tensor one-dimensional.
    """
    flat = {name: array.reshape(-1) for name, array in network.tensors.items()}
    return narrow(layout, Weights(layout.full_mask(), flat), mask)


def network_of(layout: EntryLayout, entries: Weights) -> Weights:
    """Return the dense weights of `layout.network`, zero where `entries` has no entry."""
    flat = widen(layout, entries).tensors
    shaped = {t.name: flat[t.name].reshape(t.shape) for t in layout.network.tensors}
    return Weights(layout.network.full_mask(), shaped)
