"""One pull of a peer's weights: its requests, and the checks on what arrives. Pure.

The requester asks for a window of chunks at a time (its credit), so a donor never sends more than
was asked for. A chunk is identified by digest and offset: after an interruption the pull continues
where it was, if the donor still offers the same bytes.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
import xxhash

from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.core.layout import FLOAT16, FLOAT32, Layout, Mask, Weights, unpack
from prisam_p2p.errors import WireError
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    WireDtype,
)

WINDOW_CHUNKS = 4
_LARGE_BYTES = 4 * 2**20
FLOATS = {WireDtype.FLOAT32: FLOAT32, WireDtype.FLOAT16: FLOAT16}

Answer = WeightsOffer | Chunk | Unavailable


class Unfit(WireError):
    """A donor's offer or weights failed a check on receipt.

    Args:
        check: digest, shape or finite.
    """

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(detail)
        self.check = check


def _nothing(_digest: bytes) -> memoryview | None:
    return None


class Pull:
    """Fetches the weights of one donor and one round.

    Args:
        chunk_bytes: length of a chunk; `WINDOW_CHUNKS` of them are asked for ahead.
        wanted: the mask of channels to fetch (an overlap pull); None = all.
        held: returns the buffer of a digest, if it was fetched before and is still here.

    Attributes:
        fetched_bytes: bytes of chunks received, those before an interruption included.
    """

    def __init__(
        self,
        layout: Layout,
        donor: str,
        round_index: int,
        chunk_bytes: int,
        wanted: Mask | None = None,
        held: Callable[[bytes], memoryview | None] = _nothing,
    ) -> None:
        self.donor, self.round_index = donor, round_index
        self.fetched_bytes = 0
        self._layout, self._chunk_bytes = layout, chunk_bytes
        self._wanted, self._held = wanted, held
        self._offer: WeightsOffer | None = None
        self._offer_due = True
        self._buffer = _room(0)
        self._asked = 0
        self._have = 0

    def first_request(self) -> WeightsRequest:
        """Return the request that opens the pull, or resumes it after an interruption."""
        self._offer_due = True
        if self._wanted is None:
            return WeightsRequest(self.round_index)
        return WeightsRequest(self.round_index, self._layout.n_bits, pack_bits(self._wanted))

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole buffer; 0 before the offer."""
        return len(self._buffer)

    @property
    def buffer(self) -> memoryview:
        """The bytes that arrived; complete once the pull is `done`."""
        return self._buffer

    @property
    def digest(self) -> bytes:
        """The donor's digest of the buffer; empty before the offer."""
        return self._offer.digest if self._offer else b""

    @property
    def done(self) -> bool:
        """Whether every byte has arrived."""
        return self._offer is not None and self._have == len(self._buffer)

    @property
    def wants_more(self) -> bool:
        """Whether the window has room for another chunk request."""
        return (
            not self._offer_due
            and self._asked < len(self._buffer)
            and self._asked - self._have < WINDOW_CHUNKS * self._chunk_bytes
        )

    @property
    def waits_for_bytes(self) -> bool:
        """Whether an answer of the donor is outstanding."""
        return self._offer_due or self._asked > self._have

    def next_request(self) -> ChunkRequest:
        """Return the next chunk request; `wants_more` must hold."""
        length = min(self._chunk_bytes, len(self._buffer) - self._asked)
        request = ChunkRequest(self.digest, self._asked, length)
        self._asked += length
        return request

    def expects(self, message: Answer) -> bool:
        """Tell whether `message` answers this pull, not an earlier one."""
        match message:
            case WeightsOffer(round_index):
                return round_index == self.round_index
            case Chunk(digest):
                return digest == self.digest
        return True

    def receive(self, message: Answer) -> None:
        """Process an answer of the donor.

        Raises:
            Unfit: the answer has the wrong shape; the pull is lost.
            WireError: it does not answer the last request; the pull is lost.
        """
        match message:
            case WeightsOffer():
                self._take_offer(message)
            case Chunk(_, offset, data):
                end = min(self._have + self._chunk_bytes, len(self._buffer))
                told = f"a chunk of {len(data)} bytes at {offset}: not the next one"
                if offset != self._have:
                    raise WireError(told)  # an earlier chunk may have been lost
                if offset + len(data) != end:
                    raise Unfit("shape", f"{told}, which has {end - offset}")
                self._buffer[offset:end] = data
                self._have = end
                self.fetched_bytes += len(data)
            case Unavailable(round_index):
                raise WireError(
                    f"holds no weights of round {self.round_index}, is at {round_index}"
                )

    def _take_offer(self, offer: WeightsOffer) -> None:
        if not self._offer_due:
            raise WireError(f"a second offer of round {offer.round_index}")
        if offer.n_bits != self._layout.n_bits:
            raise Unfit("shape", f"a structure mask of {offer.n_bits} bits")
        mask = unpack_bits(offer.bits, offer.n_bits)
        if self._wanted is not None and (mask & ~self._wanted).any():
            raise Unfit("shape", "an offer of channels that were not asked for")
        self._offer_due = False
        if self._offer == offer:  # the same bytes as before the interruption: continue
            self._asked = self._have
            return
        self._offer = offer
        n_bytes = self._layout.n_bytes(mask, FLOATS[offer.dtype])
        held = self._held(offer.digest)
        if held is not None and len(held) == n_bytes:
            self._buffer, self._asked, self._have = held, n_bytes, n_bytes
        else:
            self._buffer, self._asked, self._have = _room(n_bytes), 0, 0

    def weights(self) -> Weights:
        """Return the weights that arrived.

        Raises:
            Unfit: the buffer has another digest than the offer, or holds a NaN or an infinity,
                which averaging would spread through the group.
        """
        assert self._offer is not None
        if xxhash.xxh3_128_digest(self._buffer) != self._offer.digest:
            raise Unfit("digest", "the weights do not match their digest")
        mask = unpack_bits(self._offer.bits, self._offer.n_bits)
        weights = unpack(self._layout, mask, self._buffer, FLOATS[self._offer.dtype])
        for name, array in weights.tensors.items():
            if not np.isfinite(array).all():
                raise Unfit("finite", f"{name} is not finite")
        return weights


def _room(n_bytes: int) -> memoryview:
    """Return uninitialized memory: filling it with zeros would take as long as a pull.

    Large buffers are mapped on their own, in huge pages where the system has them.

    Raises:
        MemoryError: the device has no memory for it.
    """
    if n_bytes < _LARGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(n_bytes, np.uint8).data
    try:
        mapped = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        mapped.madvise(mmap.MADV_HUGEPAGE)
    except OSError as error:
        raise MemoryError(f"{n_bytes} bytes: {error.strerror}") from error
    return memoryview(mapped)
