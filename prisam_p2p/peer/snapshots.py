"""What neighbors may pull from this peer: immutable weights of its latest rounds."""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import Layout, Weights, pack
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
)

KEPT_ROUNDS = 2
"""A neighbor cannot be two rounds behind without having missed a deadline."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights of one round as they go over the wire."""

    offer: WeightsOffer
    buffer: memoryview


def snapshot_of(layout: Layout, round_index: int, weights: Weights) -> Snapshot:
    """Freeze `weights` into a flat buffer and its content address (xxh3-128)."""
    buffer = pack(layout, weights)
    digest = xxhash.xxh3_128_digest(buffer)
    offer = WeightsOffer(round_index, digest, layout.n_bits, pack_bits(weights.mask))
    return Snapshot(offer, buffer)


class SnapshotStore:
    """The latest snapshots. `publish` in one thread and `answer` in another need no lock: the
    tuple that holds them is replaced whole."""

    def __init__(self, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._latest: tuple[Snapshot, ...] = ()

    def publish(self, snapshot: Snapshot) -> None:
        """Offer `snapshot`, and forget the one before the last."""
        self._latest = (*self._latest, snapshot)[-KEPT_ROUNDS:]

    def answer(self, request: WeightsRequest | ChunkRequest) -> WeightsOffer | Chunk | Unavailable:
        """Return what was asked for, at most a chunk of it, or that it is not here."""
        latest = self._latest
        current = latest[-1].offer.round_index if latest else 0
        for snapshot in latest:
            match request:
                case WeightsRequest(round_index) if snapshot.offer.round_index == round_index:
                    return snapshot.offer
                case ChunkRequest(digest, offset, length) if snapshot.offer.digest == digest:
                    end = offset + min(length, self._chunk_bytes)
                    data = snapshot.buffer[offset:end]
                    return Chunk(digest, offset, data) if data else Unavailable(current)
        return Unavailable(current)
