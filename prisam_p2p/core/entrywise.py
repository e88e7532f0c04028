"""Networks whose weights are kept or dropped one by one, as a layout like any other.

Every trainable tensor lies flat, with a mask bit for each of its entries. So what is written for
channel masks (slim weights, their flat buffer, the average over those who retain a weight)
holds for unstructured sparsity too, and its price shows: a mask is a bit a weight.
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
    """The entries of a `network`: a channel set is a trainable tensor, a channel an entry."""

    network: Layout

    @cached_property
    def digest(self) -> bytes:
        """See Layout; follows from the network's, for the bits of all entries are many."""
        return xxhash.xxh3_128_digest(b"entries of " + self.network.digest)

    def governed(self) -> Iterator[tuple[TensorLayout, slice]]:
        """Yield each trainable tensor of the network, and where its bits stand in a mask."""
        trainable = (tensor for tensor in self.network.tensors if tensor.trainable)
        return zip(trainable, self.spans, strict=True)


def entrywise(network: Layout) -> EntryLayout:
    """Return the layout of `network`'s entries; statistics and counters are always kept."""
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
    """Return the entries of a whole `network` that `mask` keeps."""
    flat = {name: array.reshape(-1) for name, array in network.tensors.items()}
    return narrow(layout, Weights(layout.full_mask(), flat), mask)


def network_of(layout: EntryLayout, entries: Weights) -> Weights:
    """Return the whole network of `entries`, zero where they have none."""
    flat = widen(layout, entries).tensors
    shaped = {t.name: flat[t.name].reshape(t.shape) for t in layout.network.tensors}
    return Weights(layout.network.full_mask(), shaped)
