"""Which mask bits govern which weights of a network, and what follows from a mask.

A *channel set* is a set of coupled channels: one mask bit keeps or drops one channel in every
layer of the set. In a VGG each BN layer is a set of its own; in a residual network all BN layers
on one residual stream form one set. A *layout* states, for each axis of each tensor, the bit that
governs each position. Slim shapes, kept entries and their flat bytes follow from the layout and a
mask.

An entry is kept if the bits of ALL its axes are kept: a convolution's weight if its out-channel
and its in-channel are (PRISAM, section IV-C).
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
PeerId = str
Array = npt.NDArray[np.generic]
State = Mapping[str, Array]
"""Tensor name -> array, in the layout's order; in full or slim shapes, as each use states."""

Positions = npt.NDArray[np.intp]
Index = tuple[slice | Positions, ...]
"""Selects a block of a tensor."""

Floats = np.dtype[np.floating[Any]]
FLOAT32: Floats = np.dtype("<f4")
FLOAT16: Floats = np.dtype("<f2")
"""Float formats of a flat buffer; the network itself computes in FLOAT32."""

UNGOVERNED = -1
"""In place of a bit: this position is always kept."""

_FEW_BITS = 2**14
"""Cache the kept positions of masks up to this size: of channels. Masks by weight are larger."""


@dataclass(frozen=True)
class BnView:
    """The channels of one BN layer that belong to one channel set.

    Attributes:
        layer: the BN layer's name; its scale factors are the tensor `layer + ".weight"`.
        positions: shape (size of the set,): index in the layer of each channel of the set.
    """

    layer: str
    positions: npt.NDArray[np.intp]


@dataclass(frozen=True)
class ChannelSet:
    """Channels of coupled BN layers, kept or dropped together.

    Attributes:
        name: that of the set's first BN layer.
        size: number of channels, one mask bit each.
        views: the set's part in each of its BN layers.
    """

    name: str
    size: int
    views: tuple[BnView, ...]

    @property
    def title(self) -> str:
        """The set's name for readers: its first layer, and how many others go with it."""
        others = len({view.layer for view in self.views} - {self.name})
        return f"{self.name} + {others} coupled" if others else self.name


@dataclass(frozen=True)
class TensorLayout:
    """One tensor of the dense network.

    Attributes:
        name: as in torch's state_dict.
        shape: dense shape.
        dtype: little-endian, `<f4` for weights and statistics, `<i8` for counters.
        trainable: a parameter, not a buffer.
        bits: axis -> governing mask bit of each position, shape (shape[axis],), `UNGOVERNED`
            where a position is always kept. Absent axes are kept whole.
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


@lru_cache(maxsize=256)  # a round uses the same few masks over and over
def _remembered_positions(bits: bytes, mask: bytes) -> Positions | None:
    return _kept_positions(np.frombuffer(bits, np.intp), np.frombuffer(mask, np.bool_))


@dataclass(frozen=True)
class Layout:
    """The layout of a whole network.

    Attributes:
        sets: channel sets, in the order of their mask bits.
        tensors: in the order in which a flat buffer holds them.
    """

    sets: tuple[ChannelSet, ...]
    tensors: tuple[TensorLayout, ...]

    @cached_property
    def n_bits(self) -> int:
        """Number of mask bits."""
        return sum(channel_set.size for channel_set in self.sets)

    @cached_property
    def n_bn_channels(self) -> int:
        """Number of channels of all BN layers; coupled channels count once per layer."""
        return sum(
            math.prod(tensor.shape)
            for tensor in self.tensors
            if tensor.name.endswith(".running_mean")
        )

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """For each set, the slice of a mask that holds its bits."""
        ends = np.cumsum([channel_set.size for channel_set in self.sets]).tolist()
        return tuple(slice(end - s.size, end) for end, s in zip(ends, self.sets, strict=True))

    @cached_property
    def digest(self) -> bytes:
        """16 bytes, equal if and only if (up to collisions) weights can be exchanged."""
        text = repr(
            [(s.name, s.size) for s in self.sets]
            + [
                (t.name, t.shape, t.dtype.str, [(a, b.tolist()) for a, b in sorted(t.bits.items())])
                for t in self.tensors
            ]
        )
        return xxhash.xxh3_128_digest(text.encode())

    def full_mask(self) -> Mask:
        """Return the mask that keeps everything, shape (n_bits,)."""
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
    """Return the entries of `weights` that `mask` keeps.

    Args:
        mask: shape (layout.n_bits,), a subset of `weights.mask`.

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
    """Return `weights` in full coordinates: dense shapes, zero where pruned, mask all ones.

    The widened network computes the same as the slim one, as a dropped channel's gamma, beta,
    filter and kernel are all zero.
    """
    full: dict[str, Array] = {}
    for tensor in layout.tensors:
        array = np.zeros(tensor.shape, tensor.dtype)
        array[tensor.at(weights.mask)] = weights.tensors[tensor.name]
        full[tensor.name] = array
    return Weights(layout.full_mask(), full)


def pack(layout: Layout, weights: Weights, floats: Floats = FLOAT32) -> memoryview:
    """Return the flat little-endian buffer of `weights`: tensors in layout order, C order.

    FLOAT16 rounds to nearest; finite values out of its range become its largest finite value.

    Returns:
        A read-only view of layout.n_bytes(weights.mask, floats) bytes.
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
    """Return the weights in `buffer`, the inverse of `pack`.

    Args:
        mask: shape (layout.n_bits,), that of the packed weights.
        floats: the buffer's float format.

    Returns:
        Read-only arrays: views into `buffer`, or copies where FLOAT16 was converted.

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
    """Return the dtype of `tensor` in a flat buffer; counters keep their own."""
    return floats if tensor.dtype == FLOAT32 else tensor.dtype


def _index(chosen: Sequence[Positions | None], shape: Sequence[int]) -> Index:
    """Return the index that selects the `chosen` positions of each axis, None = all of them.

    Whole axes become slices or are left out, so that NumPy copies blocks rather than entries.
    """
    partial = [axis for axis, positions in enumerate(chosen) if positions is not None]
    leading = list(zip(chosen, shape, strict=True))[: partial[-1] + 1 if partial else 0]
    if len(partial) > 1:
        return np.ix_(*(np.arange(size) if each is None else each for each, size in leading))
    return tuple(slice(None) if each is None else each for each, _ in leading)
