"""Distances between peers' masks, which stand for distances between their data (section IV-B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Mask

PeerId = str


def compact(masks: Mapping[PeerId, Mask]) -> tuple[tuple[PeerId, ...], npt.NDArray[np.bool_]]:
    """Drop every bit in which all masks agree (Algorithm 1, step 2).

    Returns:
        The peers in ascending order, and their compact masks, shape (peers, bits left).
        Identical masks leave no bit.

    Raises:
        ValueError: there are no masks, or their lengths differ.
    """
    if not masks:
        raise ValueError("no masks")
    peers = tuple(sorted(masks))
    if len({masks[peer].shape for peer in peers}) > 1:
        raise ValueError("masks of different lengths")
    rows = np.stack([masks[peer] for peer in peers])
    return peers, rows[:, rows.any(axis=0) & ~rows.all(axis=0)]


def hamming(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the pairwise Hamming distances.

    Args:
        rows: masks, shape (peers, bits).

    Returns:
        Shape (peers, peers), symmetric, zero diagonal; exact below 2**24 bits.
    """
    signs = rows.astype(np.float32) * 2 - 1
    agreeing_minus_differing = np.rint(signs @ signs.T).astype(np.int64)
    return np.asarray((rows.shape[1] - agreeing_minus_differing) // 2, np.int64)


def distances(own: bytes, others: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Return the Hamming distance of each of `others` from `own`, shape (len(others),).

    Args:
        own, others: packed masks (core/bits.py) of one length, as they arrive on the wire.
    """
    rows = np.frombuffer(b"".join(others), np.uint8).reshape(len(others), len(own))
    differing = np.bitwise_count(rows ^ np.frombuffer(own, np.uint8))
    return np.asarray(differing.sum(axis=1, dtype=np.int64))
