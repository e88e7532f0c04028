"""What neighbors may pull from this peer: immutable weights of its latest rounds."""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.core.layout import Layout, Weights, narrow, pack, unpack
from prisam_p2p.peer.pull import FLOATS
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    WireDtype,
)

KEPT_ROUNDS = 2
"""A neighbor cannot be two rounds behind without having missed a deadline."""

_KEPT_PARTS = 16
"""Parts of a snapshot that requesters of an overlap want, each its own."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights of one round as they go over the wire."""

    offer: WeightsOffer
    buffer: memoryview


def snapshot_of(
    layout: Layout, round_index: int, weights: Weights, dtype: WireDtype = WireDtype.FLOAT32
) -> Snapshot:
    """Freeze `weights` into a flat buffer and its content address (xxh3-128)."""
    buffer = pack(layout, weights, FLOATS[dtype])
    digest = xxhash.xxh3_128_digest(buffer)
    offer = WeightsOffer(round_index, digest, layout.n_bits, pack_bits(weights.mask), dtype)
    return Snapshot(offer, buffer)


def part_of(layout: Layout, snapshot: Snapshot, bits: bytes) -> Snapshot:
    """Return the part of `snapshot` whose channels the packed mask `bits` keeps too."""
    offer, wanted = snapshot.offer, unpack_bits(bits, layout.n_bits)
    mask = unpack_bits(offer.bits, layout.n_bits)
    whole = unpack(layout, mask, snapshot.buffer, FLOATS[offer.dtype])
    return snapshot_of(layout, offer.round_index, narrow(layout, whole, mask & wanted), offer.dtype)


class SnapshotStore:
    """The latest snapshots. `publish` in one thread and `answer` in another need no lock: the
    tuple that holds them is replaced whole."""

    def __init__(self, layout: Layout, chunk_bytes: int) -> None:
        self._layout, self._chunk_bytes = layout, chunk_bytes
        self._latest: tuple[Snapshot, ...] = ()
        self._parts: dict[tuple[bytes, bytes], Snapshot] = {}

    def publish(self, snapshot: Snapshot) -> None:
        """Offer `snapshot`, and forget the one before the last."""
        self._latest = (*self._latest, snapshot)[-KEPT_ROUNDS:]

    def answer(self, request: WeightsRequest | ChunkRequest) -> WeightsOffer | Chunk | Unavailable:
        """Return what was asked for, at most a chunk of it, or that it is not here."""
        latest = self._latest
        current = latest[-1].offer.round_index if latest else 0
        match request:
            case WeightsRequest(round_index, n_bits, bits):
                for snapshot in latest:
                    if snapshot.offer.round_index == round_index and n_bits in (
                        0,
                        self._layout.n_bits,
                    ):
                        return (self._part(snapshot, bits) if bits else snapshot).offer
            case ChunkRequest(digest, offset, length):
                for snapshot in (*latest, *self._parts.values()):
                    if snapshot.offer.digest == digest:
                        end = offset + min(length, self._chunk_bytes)
                        data = snapshot.buffer[offset:end]
                        return Chunk(digest, offset, data) if data else Unavailable(current)
        return Unavailable(current)

    def ends_at(self, chunk: Chunk) -> bool:
        """Tell whether `chunk` is the last of its snapshot."""
        end = chunk.offset + len(chunk.data)
        return any(
            len(s.buffer) == end
            for s in (*self._latest, *self._parts.values())
            if s.offer.digest == chunk.digest
        )

    def _part(self, snapshot: Snapshot, bits: bytes) -> Snapshot:
        key = (snapshot.offer.digest, bits)
        if key not in self._parts:
            newest = list(self._parts.items())[-_KEPT_PARTS + 1 :]
            self._parts = {**dict(newest), key: part_of(self._layout, snapshot, bits)}
        return self._parts[key]
