"""Masks as bytes: bit 0 in the high bit of byte 0, padding bits zero (np.packbits)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prisam_p2p.core.layout import Mask


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A mask as it is announced, sent and kept. Equal masks are equal values.

    Attributes:
        n_bits: length of the mask; 0 for an algorithm without masks.
        bits: the mask's packed bits, ceil(n_bits / 8) bytes.

    Raises:
        ValueError: `bits` has another length, or a padding bit is set.
    """

    n_bits: int
    bits: bytes

    def __post_init__(self) -> None:
        require_packed(self.bits, self.n_bits)

    @classmethod
    def pack(cls, mask: Mask) -> PackedMask:
        """Return `mask`, shape (n_bits,), packed."""
        return cls(mask.size, pack_bits(mask))

    def unpack(self) -> Mask:
        """Return the mask, shape (n_bits,), as a new array."""
        return unpack_bits(self.bits, self.n_bits)

    @property
    def hex(self) -> str:
        """The packed bits in hexadecimal, as the journal has them."""
        return self.bits.hex()


def packed_size(n_bits: int) -> int:
    """Return ceil(n_bits / 8): 2,752 bits are 344 bytes."""
    return -(-n_bits // 8)


def pack_bits(mask: Mask) -> bytes:
    """Return the packed bits of `mask`, shape (n_bits,). Equal masks are equal bytes."""
    return np.packbits(mask).tobytes()


def unpack_bits(packed: bytes, n_bits: int) -> Mask:
    """Return the mask in `packed`, shape (n_bits,).

    Raises:
        ValueError: see `require_packed`.
    """
    require_packed(packed, n_bits)
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=n_bits).astype(np.bool_)


def require_packed(packed: bytes, n_bits: int) -> None:
    """Check that `packed` is a packed mask of `n_bits`.

    Raises:
        ValueError: the length is not ceil(n_bits / 8), or a padding bit is set.
    """
    if n_bits < 0 or len(packed) != packed_size(n_bits):
        raise ValueError(f"{len(packed)} bytes for {n_bits} bits")
    if n_bits % 8 and packed[-1] & ((1 << (-n_bits % 8)) - 1):
        raise ValueError("padding bits are not zero")
