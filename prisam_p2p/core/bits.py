"""Masks as bytes: bit 0 in the high bit of byte 0, padding bits zero (np.packbits)."""

from __future__ import annotations

import numpy as np

from prisam_p2p.core.layout import Mask


def packed_size(n_bits: int) -> int:
    """Return ceil(n_bits / 8): 2,752 bits are 344 bytes."""
    return -(-n_bits // 8)


def pack_bits(mask: Mask) -> bytes:
    """Return the packed bits of `mask`, shape (n_bits,). Equal masks are equal bytes."""
    return np.packbits(mask).tobytes()


def unpack_bits(packed: bytes, n_bits: int) -> Mask:
    """Return the mask in `packed`, shape (n_bits,).

    Raises:
        ValueError: the length is not ceil(n_bits / 8), or a padding bit is set.
    """
    if len(packed) != packed_size(n_bits):
        raise ValueError(f"{len(packed)} bytes for {n_bits} bits")
    if n_bits % 8 and packed[-1] & ((1 << (-n_bits % 8)) - 1):
        raise ValueError("padding bits are not zero")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=n_bits).astype(np.bool_)
