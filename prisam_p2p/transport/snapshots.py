"""What neighbors may pull from this peer: frozen weights of its latest rounds."""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.core.layout import Layout, Weights, narrow, pack, unpack
from prisam_p2p.transport.pull import FLOATS
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    WireDtype,
)

KEPT_ROUNDS = 2
"""A neighbor that is two rounds behind has missed a deadline."""

PARTS_PER_SLOT = 4
"""How many parts of snapshots are kept per upload slot. With `--pull overlap` each requester wants
a part of its own, and a slow one must still find it when others come and go."""


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
    """The latest snapshots, and parts of them.

    `publish` in one thread and `answer` in another need no lock: the tuple is replaced whole.

    Args:
        chunk_bytes: length of the largest chunk.
        most_parts: how many parts are kept; those that were asked for last.
    """

    def __init__(self, layout: Layout, chunk_bytes: int, most_parts: int = PARTS_PER_SLOT) -> None:
        self._layout, self._chunk_bytes, self._most_parts = layout, chunk_bytes, most_parts
        self._latest: tuple[Snapshot, ...] = ()
        self._parts: dict[tuple[bytes, bytes], Snapshot] = {}

    def publish(self, snapshot: Snapshot) -> None:
        """Offer `snapshot`, and drop the oldest of more than KEPT_ROUNDS."""
        self._latest = (*self._latest, snapshot)[-KEPT_ROUNDS:]

    def answer(self, request: WeightsRequest | ChunkRequest) -> WeightsOffer | Chunk | Unavailable:
        """Return the offer or the chunk that was asked for, or Unavailable."""
        match request:
            case WeightsRequest():
                if snapshot := self._wanted(request):
                    return (self._part(snapshot, request.bits) if request.bits else snapshot).offer
            case ChunkRequest(digest, offset, length):
                if snapshot := self.find(digest):
                    end = offset + min(length, self._chunk_bytes)
                    if data := snapshot.buffer[offset:end]:
                        return Chunk(digest, offset, data)
        return Unavailable(self.latest_round or 0)

    @property
    def latest_round(self) -> int | None:
        """The round of the latest snapshot; None = there is none yet."""
        latest = self._latest
        return latest[-1].offer.round_index if latest else None

    def has(self, request: WeightsRequest) -> bool:
        """Tell whether the answer is an offer, without making a part for it."""
        return self._wanted(request) is not None

    def find(self, digest: bytes) -> Snapshot | None:
        """Return the snapshot or part of `digest`; a part becomes the last to be dropped."""
        for snapshot in self._latest:
            if snapshot.offer.digest == digest:
                return snapshot
        for key, part in self._parts.items():
            if part.offer.digest == digest:
                return self._keep(key, part)
        return None

    def ends_at(self, chunk: Chunk) -> bool:
        """Tell whether `chunk` is the last of its snapshot."""
        found = self.find(chunk.digest)
        return found is not None and len(found.buffer) == chunk.offset + len(chunk.data)

    def _wanted(self, request: WeightsRequest) -> Snapshot | None:
        if request.n_bits not in (0, self._layout.n_bits):
            return None
        of_round = (s for s in self._latest if s.offer.round_index == request.round_index)
        return next(of_round, None)

    def _part(self, snapshot: Snapshot, bits: bytes) -> Snapshot:
        key = (snapshot.offer.digest, bits)
        part = self._parts.get(key) or part_of(self._layout, snapshot, bits)
        return self._keep(key, part)

    def _keep(self, key: tuple[bytes, bytes], part: Snapshot) -> Snapshot:
        """Make `part` the last to be dropped, and drop the first of too many."""
        self._parts.pop(key, None)
        self._parts[key] = part
        if len(self._parts) > self._most_parts:
            del self._parts[next(iter(self._parts))]
        return part
