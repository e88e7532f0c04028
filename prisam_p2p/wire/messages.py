"""Every message that a peer can send. An invalid message cannot be built.

A new message needs a class, a Kind, a case in codec.encode and in codec.decode, a golden vector and
rows in the refusal table. Those by which masks are relayed: relay_messages.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from prisam_p2p.core.bits import packed_size
from prisam_p2p.wire.message_checks import (
    DIGEST_BYTES as DIGEST_BYTES,
)
from prisam_p2p.wire.message_checks import (
    check_bits,
    check_digest,
    check_peer_id,
    check_round,
    require,
)
from prisam_p2p.wire.relay_messages import MaskDigest, MaskWanted, RelayedMask

RUN_ID_BYTES = 8
MAX_REASON = 200
MAX_RETRY_MS = 60_000


class Kind(IntEnum):
    """The kind of a message, as a number on the wire. Never renumber one or reuse a retired one."""

    HELLO = 1
    WELCOME = 2
    REFUSE = 3
    MASK = 4
    WEIGHTS_REQUEST = 5
    WEIGHTS_OFFER = 6
    CHUNK_REQUEST = 7
    CHUNK = 8
    UNAVAILABLE = 9
    BYE = 10
    MASK_REQUEST = 11
    BUSY = 12
    RELAYED_MASK = 13
    MASK_DIGEST = 14
    MASK_WANTED = 15


class Channel(IntEnum):
    """What a connection carries: small messages that must not wait, or weights."""

    CONTROL = 0
    BULK = 1


class WireDtype(IntEnum):
    """Type of the floats in a flat buffer, little-endian."""

    FLOAT32 = 0
    FLOAT16 = 1


class Coding(IntEnum):
    """The coding of a mask, as a number on the wire. Never renumber one.

    PACKED: the packed bits (core/bits.py).
    CHANGES: the index (`index_of`) of the set of bits that differ from the base.
    DENSITY: twice the index of the set of ones; or, if ones are more than half, twice that of
        the set of zeros, plus one.
    """

    PACKED = 0
    CHANGES = 1
    DENSITY = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens a connection: names the sender, and what it can exchange weights with.

    Attributes:
        run_id: 8 bytes, the same for all peers of a run.
        peer_id: 1-32 characters of a-z 0-9 _ -.
        incarnation: 0 for a peer's first process, one more after each restart.
        w0_digest, layout_digest: 16 bytes each. Masks of models with other initial weights say
            nothing about groups; weights of another layout cannot be averaged.
    """

    run_id: bytes
    peer_id: str
    incarnation: int
    channel: Channel
    w0_digest: bytes
    layout_digest: bytes

    def __post_init__(self) -> None:
        require(len(self.run_id) == RUN_ID_BYTES, f"run id of {len(self.run_id)} bytes")
        check_peer_id(self.peer_id)
        require(self.incarnation >= 0, f"incarnation {self.incarnation} is negative")
        check_digest(self.w0_digest)
        check_digest(self.layout_digest)


@dataclass(frozen=True, slots=True)
class Welcome:
    """Accepts a Hello: announcements follow, and requests are served."""

    incarnation: int

    def __post_init__(self) -> None:
        require(self.incarnation >= 0, f"incarnation {self.incarnation} is negative")


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuses a Hello that does not fit, and any message sent before a Welcome."""

    reason: str

    def __post_init__(self) -> None:
        require(0 < len(self.reason) <= MAX_REASON, f"reason of {len(self.reason)} characters")


@dataclass(frozen=True, slots=True)
class MaskAnnounce:
    """The sender's similarity mask of one round; goes to every neighbor.

    Attributes:
        round_index: the sender's round, from 0.
        n_bits: length of the mask, the same on every peer of the run; 0 if the algorithm has no
            masks: the message then says only that weights of the round are offered.
        bits: as `coding` says (mask_coding.py); PACKED: ceil(n_bits / 8) bytes, bit 0 in the
            high bit of byte 0, padding bits zero.
        base_gap: CHANGES only: the base is the mask of this many rounds before.
        check: CHANGES only: `mask_check` of the mask that must result.
    """

    round_index: int
    n_bits: int
    bits: bytes
    coding: Coding = Coding.PACKED
    base_gap: int = 0
    check: int = 0

    def __post_init__(self) -> None:
        check_round(self.round_index)
        if self.coding is Coding.PACKED:
            if self.n_bits or self.bits:
                check_bits(self.n_bits, self.bits)
        else:
            _coded_bits(self.n_bits, self.bits)
        if self.coding is Coding.CHANGES:
            _base(self.round_index, self.base_gap, self.check)
        elif self.base_gap or self.check:
            raise ValueError("a base, but no changes")


@dataclass(frozen=True, slots=True)
class MaskRequest:
    """Asks for the whole mask, because the base of the changes is not here."""

    round_index: int

    def __post_init__(self) -> None:
        check_round(self.round_index)


@dataclass(frozen=True, slots=True)
class WeightsRequest:
    """Asks a chosen peer for its offer of one round.

    Attributes:
        n_bits, bits: the requester's structure mask, packed, if it wants only the channels that
            it keeps itself (an overlap pull); 0 and empty if it wants all.
    """

    round_index: int
    n_bits: int = 0
    bits: bytes = b""

    def __post_init__(self) -> None:
        check_round(self.round_index)
        if self.n_bits or self.bits:
            check_bits(self.n_bits, self.bits)


@dataclass(frozen=True, slots=True)
class WeightsOffer:
    """Describes a snapshot by its digest and its structure mask, which gives the buffer's layout.

    Attributes:
        digest: 16 bytes of xxh3-128 over the flat buffer.
        n_bits, bits: the structure mask, packed.
        dtype: type of the buffer's floats.
    """

    round_index: int
    digest: bytes
    n_bits: int
    bits: bytes
    dtype: WireDtype = WireDtype.FLOAT32

    def __post_init__(self) -> None:
        check_round(self.round_index)
        check_digest(self.digest)
        check_bits(self.n_bits, self.bits)


@dataclass(frozen=True, slots=True)
class ChunkRequest:
    """Asks for `length` bytes of a snapshot's flat buffer from `offset` on."""

    digest: bytes
    offset: int
    length: int

    def __post_init__(self) -> None:
        check_digest(self.digest)
        require(self.offset >= 0, f"offset {self.offset} is negative")
        require(self.length > 0, f"length {self.length}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a snapshot's flat buffer."""

    digest: bytes
    offset: int
    data: bytes | memoryview

    def __post_init__(self) -> None:
        check_digest(self.digest)
        require(self.offset >= 0, f"offset {self.offset} is negative")
        require(len(self.data) > 0, "an empty chunk")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Answers a request for a round or a snapshot that the sender does not have.

    Attributes:
        round_index: the sender's latest round.
    """

    round_index: int

    def __post_init__(self) -> None:
        check_round(self.round_index)


@dataclass(frozen=True, slots=True)
class Busy:
    """Answers a WeightsRequest while all upload slots are taken: ask again after `retry_ms`."""

    retry_ms: int

    def __post_init__(self) -> None:
        require(0 < self.retry_ms <= MAX_RETRY_MS, f"retry after {self.retry_ms} ms")


@dataclass(frozen=True, slots=True)
class Bye:
    """Says that the sender takes part in no round from `round_index` on."""

    round_index: int

    def __post_init__(self) -> None:
        check_round(self.round_index)


Message = (
    Hello
    | Welcome
    | Refuse
    | MaskAnnounce
    | WeightsRequest
    | WeightsOffer
    | ChunkRequest
    | Chunk
    | Unavailable
    | Bye
    | MaskRequest
    | Busy
    | RelayedMask
    | MaskDigest
    | MaskWanted
)


def _coded_bits(n_bits: int, bits: bytes) -> None:
    if n_bits < 1:
        raise ValueError(f"a mask of {n_bits} bits")
    if len(bits) > packed_size(n_bits):
        raise ValueError(f"{len(bits)} bytes, packed {packed_size(n_bits)}")


def _base(round_index: int, base_gap: int, check: int) -> None:
    if not 0 < base_gap <= round_index:
        raise ValueError(f"changes since {base_gap} rounds before {round_index}")
    if not 0 <= check < 2**16:
        raise ValueError(f"check {check}")
