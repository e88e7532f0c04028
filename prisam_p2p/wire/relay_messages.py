"""The messages by which masks travel beyond direct neighbors (--mask-hops). Pure.

docs/protocol.md, "Relayed masks", says who sends which of them when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from prisam_p2p.wire.message_checks import check_bits, check_peer_id, check_round, require

KEY_BYTES, SIGNATURE_BYTES = 32, 64
MOST_LISTED = 6_000
"""Entries of a digest: those of ids of 32 characters still fit into a frame of 256 KiB."""

MOST_WANTED = 24
"""Entries of a request: a ROUTER accepts frames of 1,024 bytes."""

FIRST_STEP = 2
"""Step 1 of a round is MaskAnnounce, between neighbors."""

_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")

Entry = tuple[str, int]
"""An origin, and the version of its mask."""


@dataclass(frozen=True, slots=True)
class RelayedMask:
    """A peer's mask, and where that peer's weights can be pulled, as that peer itself said it.

    Attributes:
        origin: whose mask it is.
        version: the origin's round in which it said so; it holds until the next version.
        incarnation: of the origin's process.
        address, port: of the origin's ROUTER.
        public_key: the origin's CURVE key, 32 bytes; empty where connections are plain.
        signature: of all other fields, by the origin's Ed25519 key; empty where connections are
            plain (signatures.py).
        n_bits, bits: the mask, packed; 0 and empty: the one that the sender announces itself.
    """

    origin: str
    version: int
    incarnation: int
    address: str
    port: int
    public_key: bytes = b""
    signature: bytes = b""
    n_bits: int = 0
    bits: bytes = b""

    def __post_init__(self) -> None:
        check_peer_id(self.origin)
        check_round(self.version)
        require(self.incarnation >= 0, f"incarnation {self.incarnation} is negative")
        require(_ADDRESS.fullmatch(self.address) is not None, f"address {self.address!r}")
        require(0 < self.port < 2**16, f"port {self.port}")
        lengths = len(self.public_key), len(self.signature)
        known = ((0, 0), (KEY_BYTES, SIGNATURE_BYTES))
        require(lengths in known, f"a key of {lengths[0]} bytes, a signature of {lengths[1]}")
        if self.n_bits or self.bits:
            check_bits(self.n_bits, self.bits)

    @property
    def entry(self) -> Entry:
        """What a digest says of it."""
        return self.origin, self.version


@dataclass(frozen=True, slots=True)
class MaskDigest:
    """Lists whose masks of a round the sender has learned in the step before. Masks: on request.

    Attributes:
        step: 2 for the masks of the sender's neighbors, 3 for those two links away from it, ..
        last: the sender learned nothing in the step before, or the steps are over: no digest of
            this round follows.
        entries: origin and version of the mask that it announced in this round, by origin
            ascending; without those that the receiver is known to have.
    """

    round_index: int
    step: int
    last: bool
    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        check_round(self.round_index)
        require(self.step >= FIRST_STEP, f"step {self.step}")
        _entries(self.entries, MOST_LISTED)
        for _, version in self.entries:
            require(version <= self.round_index, f"version {version} in {self.round_index}")


@dataclass(frozen=True, slots=True)
class MaskWanted:
    """Asks for masks that a digest of a round listed: at least one, by origin ascending."""

    round_index: int
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        check_round(self.round_index)
        require(len(self.entries) > 0, "a request for nothing")
        _entries(self.entries, MOST_WANTED)


def _entries(entries: tuple[Entry, ...], most: int) -> None:
    require(len(entries) <= most, f"{len(entries)} entries")
    for origin, version in entries:
        check_peer_id(origin)
        check_round(version)
    ascending = all(a < b for (a, _), (b, _) in pairwise(entries))
    require(ascending, "entries that are not ascending")
