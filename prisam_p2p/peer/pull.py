"""One pull of a peer's weights: what to ask for next, and what came of it.

Pure. The requester asks for a window of chunks at a time (its credit), so a donor keeps no
state of a transfer and never sends more than was asked for.
"""

from __future__ import annotations

import numpy as np
import xxhash

from prisam_p2p.core.bits import unpack_bits
from prisam_p2p.core.layout import Layout, Weights, unpack
from prisam_p2p.errors import WireError
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
)

WINDOW_CHUNKS = 4


class Pull:
    """Fetches the weights of one donor and one round.

    Args:
        chunk_bytes: length of a chunk; `WINDOW_CHUNKS` of them are asked for ahead.
    """

    def __init__(self, layout: Layout, donor: str, round_index: int, chunk_bytes: int) -> None:
        self.donor, self.round_index = donor, round_index
        self._layout, self._chunk_bytes = layout, chunk_bytes
        self._offer: WeightsOffer | None = None
        self._buffer = bytearray()
        self._asked = 0
        self._have = 0

    def first_request(self) -> WeightsRequest:
        """Return what opens the pull."""
        return WeightsRequest(self.round_index)

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole buffer, 0 until the offer is here."""
        return len(self._buffer)

    @property
    def digest(self) -> bytes:
        """Content address that the donor named, empty until the offer is here."""
        return self._offer.digest if self._offer else b""

    @property
    def done(self) -> bool:
        """Whether every byte is here."""
        return self._offer is not None and self._have == len(self._buffer)

    @property
    def wants_more(self) -> bool:
        """Whether the window has room for another chunk request."""
        return (
            self._offer is not None
            and self._asked < len(self._buffer)
            and self._asked - self._have < WINDOW_CHUNKS * self._chunk_bytes
        )

    @property
    def waits_for_bytes(self) -> bool:
        """Whether something was asked for that is not here yet."""
        return self._offer is None or self._asked > self._have

    def next_request(self) -> ChunkRequest:
        """Return the next chunk request; `wants_more` must hold."""
        length = min(self._chunk_bytes, len(self._buffer) - self._asked)
        request = ChunkRequest(self.digest, self._asked, length)
        self._asked += length
        return request

    def expects(self, message: WeightsOffer | Chunk | Unavailable) -> bool:
        """Tell whether `message` is about this pull, and not a late answer to an earlier one."""
        match message:
            case WeightsOffer(round_index):
                return round_index == self.round_index
            case Chunk(digest):
                return digest == self.digest
        return True

    def receive(self, message: WeightsOffer | Chunk | Unavailable) -> None:
        """Take an answer in.

        Raises:
            WireError: it does not fit what was asked for; the pull is lost.
        """
        match message:
            case WeightsOffer(round_index, _, n_bits, bits):
                if self._offer is not None:
                    raise WireError(f"a second offer of round {round_index}")
                if n_bits != self._layout.n_bits:
                    raise WireError(f"a structure mask of {n_bits} bits")
                self._offer = message
                self._buffer = bytearray(self._layout.n_bytes(unpack_bits(bits, n_bits)))
            case Chunk(_, offset, data):
                end = min(self._have + self._chunk_bytes, len(self._buffer))
                if offset != self._have or offset + len(data) != end:
                    raise WireError(f"a chunk of {len(data)} bytes at {offset}: not the next one")
                self._buffer[offset:end] = data
                self._have = end
            case Unavailable(round_index):
                raise WireError(
                    f"holds no weights of round {self.round_index}, is at {round_index}"
                )

    def weights(self) -> Weights:
        """Return the weights that arrived.

        Raises:
            WireError: the buffer is not what the offer's digest says, or holds a NaN or an
                infinity, which averaging would spread through the group.
        """
        assert self._offer is not None
        if xxhash.xxh3_128_digest(self._buffer) != self._offer.digest:
            raise WireError("the weights do not match their digest")
        mask = unpack_bits(self._offer.bits, self._offer.n_bits)
        weights = unpack(self._layout, mask, self._buffer)
        for name, array in weights.tensors.items():
            if not np.isfinite(array).all():
                raise WireError(f"{name} is not finite")
        return weights
