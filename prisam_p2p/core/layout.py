"""Where every weight of a network stands, and which mask bits it lives by.

A *channel set* is a set of coupled channels: one mask bit decides over one channel in
every layer of the set (in a VGG each BN layer is a set of its own; in a residual network
all BN layers that touch one residual stream are one set). A *layout* says, for each tensor
of the network and each of its axes, which bit governs each position. Everything else
(slim shapes, kept entries, their flat bytes) follows from the layout and a mask.

A weight is kept where the bits of ALL its axes are kept: a convolution's weight where its
out-channel and its in-channel are (algorithm of PRISAM, section IV-C).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.generic]
State = Mapping[str, Array]
"""Tensor name -> array, in the layout's order; full shapes or slim ones, as the name says."""

Positions = npt.NDArray[np.intp]
Index = tuple[slice | Positions, ...]
"""Selects a block of a tensor."""

Floats = np.dtype[np.floating[Any]]
FLOAT32: Floats = np.dtype("<f4")
FLOAT16: Floats = np.dtype("<f2")
"""How a flat buffer holds the floats of a network; the network itself computes in FLOAT32."""

UNGOVERNED = -1
"""In an axis' bits: this position is always kept."""

_FEW_BITS = 2**14
"""As many as channels come to; masks of a bit a weight (entrywise.py) are too large to remember."""


@dataclass(frozen=True)
class BnView:
    """The part of one BN layer that one channel set looks at.

    Attributes:
        layer: the BN layer's name; its scale factors are the tensor `layer + ".weight"`.
        positions: shape (size of the set,): where the set's channels stand in the layer.
    """

    layer: str
    positions: npt.NDArray[np.intp]


@dataclass(frozen=True)
class ChannelSet:
    """Channels that live or die together, one mask bit each; `name` is its first BN layer's."""

    name: str
    size: int
    views: tuple[BnView, ...]


@dataclass(frozen=True)
class TensorLayout:
    """One tensor of the dense network.

    Attributes:
        name: as in torch's state_dict.
        shape: dense shape.
        dtype: little-endian, `<f4` for weights and statistics, `<i8` for counters.
        trainable: a parameter, not a buffer.
        bits: axis -> governing mask bit of each position, shape (shape[axis],), `UNGOVERNED`
            where a position is always kept. Axes that are absent are kept whole.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    trainable: bool
    bits: Mapping[int, npt.NDArray[np.intp]]

    def kept(self, mask: Mask) -> tuple[Positions | None, ...]:
        """Return, for each axis, the positions that `mask` keeps, ascending; None = all."""
        return tuple(self._kept_on(axis, mask) for axis in range(len(self.shape)))

    def at(self, mask: Mask) -> Index:
        """Return the index that selects the kept entries of the dense tensor."""
        return _index(self.kept(mask), self.shape)

    def slim_shape(self, mask: Mask) -> tuple[int, ...]:
        """Return the tensor's shape under `mask`."""
        return tuple(
            size if kept is None else len(kept)
            for kept, size in zip(self.kept(mask), self.shape, strict=True)
        )

    def _kept_on(self, axis: int, mask: Mask) -> Positions | None:
        bits = self.bits.get(axis)
        if bits is None:
            return None
        if len(mask) > _FEW_BITS:
            return _kept_positions(bits, mask)
        return _remembered_positions(bits.tobytes(), mask.tobytes())


def _kept_positions(bits: npt.NDArray[np.intp], mask: Mask) -> Positions | None:
    kept = mask[bits] | (bits == UNGOVERNED)
    if kept.all():
        return None
    positions = np.flatnonzero(kept)
    positions.flags.writeable = False
    return positions


@lru_cache(maxsize=256)  # the same few masks are asked about all round long
def _remembered_positions(bits: bytes, mask: bytes) -> Positions | None:
    return _kept_positions(np.frombuffer(bits, np.intp), np.frombuffer(mask, np.bool_))


@dataclass(frozen=True)
class Layout:
    """The whole network: `sets` in the order of their mask bits, `tensors` in wire order."""

    sets: tuple[ChannelSet, ...]
    tensors: tuple[TensorLayout, ...]

    @cached_property
    def n_bits(self) -> int:
        """Bits of a mask."""
        return sum(channel_set.size for channel_set in self.sets)

    @cached_property
    def n_bn_channels(self) -> int:
        """Channels of all BN layers, coupled ones counted each."""
        return sum(
            math.prod(tensor.shape)
            for tensor in self.tensors
            if tensor.name.endswith(".running_mean")
        )

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """For each set, where its bits stand in a mask."""
        ends = np.cumsum([channel_set.size for channel_set in self.sets]).tolist()
        return tuple(slice(end - s.size, end) for end, s in zip(ends, self.sets, strict=True))

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that differ between networks whose weights cannot be exchanged."""
        text = repr(
            [(s.name, s.size) for s in self.sets]
            + [
                (t.name, t.shape, t.dtype.str, [(a, b.tolist()) for a, b in sorted(t.bits.items())])
                for t in self.tensors
            ]
        )
        return xxhash.xxh3_128_digest(text.encode())

    def full_mask(self) -> Mask:
        """Return the mask that keeps everything."""
        return np.ones(self.n_bits, np.bool_)

    def n_parameters(self, mask: Mask) -> int:
        """Count the trainable parameters of the slim network under `mask`."""
        return sum(math.prod(t.slim_shape(mask)) for t in self.tensors if t.trainable)

    def n_bytes(self, mask: Mask, floats: Floats = FLOAT32) -> int:
        """Count the bytes of the slim network's flat buffer (statistics and counters too)."""
        return sum(
            math.prod(t.slim_shape(mask)) * _packed_dtype(t, floats).itemsize for t in self.tensors
        )


@dataclass(frozen=True)
class Weights:
    """A slim network: the entries that `mask` keeps, and nothing else.

    Attributes:
        mask: shape (layout.n_bits,), True = kept.
        tensors: name -> array of the slim shape. Treat them as immutable.
    """

    mask: Mask
    tensors: dict[str, Array]


def narrow(layout: Layout, weights: Weights, mask: Mask) -> Weights:
    """Return the entries of `weights` that `mask` keeps; `mask` must keep no bit that it lacks.

    Raises:
        ValueError: `mask` keeps a channel that `weights` does not have.
    """
    if (mask & ~weights.mask).any():
        raise ValueError("the mask keeps channels that the weights do not have")
    if (mask == weights.mask).all():
        return weights
    slim: dict[str, Array] = {}
    for tensor in layout.tensors:
        chosen = [
            keep if have is None or keep is None else np.searchsorted(have, keep)
            for have, keep in zip(tensor.kept(weights.mask), tensor.kept(mask), strict=True)
        ]
        array = weights.tensors[tensor.name]
        block = _index(chosen, array.shape)
        slim[tensor.name] = array[block] if block else array
    return Weights(mask, slim)


def widen(layout: Layout, weights: Weights) -> Weights:
    """Return `weights` in full coordinates, zero where they have no entry, mask all ones.

    A network with the zeros computes the same as the slim one: a dropped channel's gamma,
    beta, filter and kernel are all zero.
    """
    full: dict[str, Array] = {}
    for tensor in layout.tensors:
        array = np.zeros(tensor.shape, tensor.dtype)
        array[tensor.at(weights.mask)] = weights.tensors[tensor.name]
        full[tensor.name] = array
    return Weights(layout.full_mask(), full)


def pack(layout: Layout, weights: Weights, floats: Floats = FLOAT32) -> memoryview:
    """Return the flat little-endian buffer of `weights`: tensors in layout order, C order.

    FLOAT16 rounds to nearest, and to its largest finite value what is beyond that.
    """
    buffer = bytearray(layout.n_bytes(weights.mask, floats))
    offset = 0
    for tensor in layout.tensors:
        array = weights.tensors[tensor.name]
        dtype = _packed_dtype(tensor, floats)
        flat = np.frombuffer(buffer, dtype, array.size, offset)
        with np.errstate(over="ignore"):
            flat[:] = array.reshape(-1)
        if dtype == FLOAT16:
            beyond = np.isinf(flat) & np.isfinite(array.reshape(-1))
            flat[beyond] = np.copysign(np.finfo(np.float16).max, flat[beyond])
        offset += flat.nbytes
    return memoryview(buffer).toreadonly()


def unpack(
    layout: Layout, mask: Mask, buffer: bytes | bytearray | memoryview, floats: Floats = FLOAT32
) -> Weights:
    """Return the weights in `buffer`, the inverse of `pack`; read-only views into it, or copies
    where the buffer holds its floats in another width.

    Raises:
        ValueError: the buffer's length is not what the layout and the mask require.
    """
    if len(buffer) != layout.n_bytes(mask, floats):
        raise ValueError(f"{len(buffer)} bytes for a layout of {layout.n_bytes(mask, floats)}")
    tensors: dict[str, Array] = {}
    offset = 0
    for tensor in layout.tensors:
        shape, dtype = tensor.slim_shape(mask), _packed_dtype(tensor, floats)
        count = math.prod(shape)
        flat = np.frombuffer(buffer, dtype, count, offset).astype(tensor.dtype, copy=False)
        flat.flags.writeable = False
        tensors[tensor.name] = flat.reshape(shape)
        offset += count * dtype.itemsize
    return Weights(mask, tensors)


def _packed_dtype(tensor: TensorLayout, floats: Floats) -> np.dtype[np.generic]:
    """Return what a flat buffer holds `tensor` as: counters keep their width."""
    return floats if tensor.dtype == FLOAT32 else tensor.dtype


def _index(chosen: Sequence[Positions | None], shape: Sequence[int]) -> Index:
    """Return the index of the block `chosen`: positions along each axis, None = all of it.

    Whole axes are slices or left out, so that NumPy moves blocks and not single numbers.
    """
    partial = [axis for axis, positions in enumerate(chosen) if positions is not None]
    leading = list(zip(chosen, shape, strict=True))[: partial[-1] + 1 if partial else 0]
    if len(partial) > 1:
        return np.ix_(*(np.arange(size) if each is None else each for each, size in leading))
    return tuple(slice(None) if each is None else each for each, _ in leading)
