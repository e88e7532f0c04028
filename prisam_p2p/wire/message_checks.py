"""Checks that messages share: what breaks one of them cannot be built.

Every message runs them, so their texts are built only on failure.
"""

from __future__ import annotations

import re

from prisam_p2p.core.bits import require_packed

DIGEST_BYTES = 16
PEER_ID = re.compile(r"[a-z0-9_-]{1,32}")


def require(holds: bool, otherwise: str) -> None:
    """Raise ValueError unless it holds."""
    if not holds:
        raise ValueError(otherwise)


def check_peer_id(peer_id: str) -> None:
    """Check that it names a peer: 1-32 characters of a-z 0-9 _ -."""
    if PEER_ID.fullmatch(peer_id) is None:
        raise ValueError(f"peer id {peer_id!r}")


def check_round(round_index: int) -> None:
    """Check that it is a round, from 0."""
    if round_index < 0:
        raise ValueError(f"round {round_index} is negative")


def check_digest(digest: bytes) -> None:
    """Check the length of a digest of weights."""
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"digest of {len(digest)} bytes")


def check_bits(n_bits: int, bits: bytes) -> None:
    """Check that `bits` are a packed mask of `n_bits`, at least one."""
    if n_bits < 1:
        raise ValueError(f"a mask of {n_bits} bits")
    require_packed(bits, n_bits)
