"""Codes a mask for each neighbor in the fewest bytes: whole, or as changes to the last. Pure.

A connection delivers in order: when a neighbor reads a message, it has read all that was sent on
the connection before. So changes are relative to the last mask sent on the same connection, and
no acknowledgement is needed. A receiver that still lacks that mask (a message was lost) asks for
the whole one.
"""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.errors import WireError
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.mask_coding import Coding, decode_mask, encode_mask
from prisam_p2p.wire.messages import MaskAnnounce


class BaseMissing(WireError):
    """The message holds changes to a mask that the receiver does not have."""


@dataclass(frozen=True, slots=True)
class RoundMask:
    """The mask that a peer announces in one round."""

    round_index: int
    mask: PackedMask


class MaskSender:
    """Codes this peer's masks for each neighbor, as changes where that is shortest."""

    def __init__(self) -> None:
        self._held: dict[str, RoundMask] = {}
        self._coded: dict[tuple[int, int], MaskAnnounce] = {}

    def forget(self, neighbor: str) -> None:
        """Send `neighbor` the next mask whole: it has a new connection, or asked for it."""
        self._held.pop(neighbor, None)

    def code(self, neighbor: str, announced: RoundMask) -> MaskAnnounce:
        """Return the message that tells `neighbor` the mask."""
        base, t = self._held.get(neighbor), announced.round_index
        if base is not None and base.round_index >= t:
            base = None
        key = (t, base.round_index if base else -1)
        if key not in self._coded:
            self._coded = {k: v for k, v in self._coded.items() if k[0] == t}
            self._coded[key] = coded(announced, base)
        return self._coded[key]

    def sent(self, neighbor: str, announced: RoundMask) -> None:
        """Note that the mask was sent to `neighbor`."""
        self._held[neighbor] = announced


class MaskReceiver:
    """Decodes the neighbors' masks.

    Args:
        most_bits: longer masks are refused, because a short payload can claim any length.
    """

    def __init__(self, most_bits: int) -> None:
        self._most_bits = most_bits
        self._held: dict[str, RoundMask] = {}

    def decode(self, neighbor: str, message: MaskAnnounce) -> RoundMask:
        """Return the mask in `message`, and keep it as the base of the neighbor's next one.

        Raises:
            BaseMissing: the message holds changes to a mask that is not here.
            WireError: it holds no mask.
        """
        mask = self._decode(self._held.get(neighbor), message)
        announced = self._held[neighbor] = RoundMask(message.round_index, mask)
        return announced

    def _decode(self, base: RoundMask | None, message: MaskAnnounce) -> PackedMask:
        if message.n_bits > self._most_bits:
            raise WireError(f"a mask of {message.n_bits} bits")
        if message.coding is Coding.PACKED:
            return PackedMask(message.n_bits, message.bits)
        if message.coding is not Coding.CHANGES:
            return _decoded(message, None)
        base_round = message.round_index - message.base_gap
        if base is None or (base.round_index, base.mask.n_bits) != (base_round, message.n_bits):
            raise BaseMissing(f"changes to the mask of round {base_round}, not held")
        # Once groups have settled, most masks are unchanged.
        mask = _decoded(message, base.mask) if message.bits else base.mask
        if mask_check(mask) != message.check:
            raise BaseMissing("changes to another mask than the one held")
        return mask


def _decoded(message: MaskAnnounce, base: PackedMask | None) -> PackedMask:
    bits = base.unpack() if base else None
    try:
        return PackedMask.pack(decode_mask(message.coding, message.bits, message.n_bits, bits))
    except ValueError as error:
        raise WireError(str(error)) from error


def coded(announced: RoundMask, base: RoundMask | None) -> MaskAnnounce:
    """Return the shortest message that tells a mask.

    Args:
        base: what the receiver holds, of an earlier round; None if it holds nothing.
    """
    t, mask = announced.round_index, announced.mask
    if not mask.n_bits:
        return MaskAnnounce(t, 0, b"")
    bits = mask.unpack()
    coding, payload = encode_mask(bits, None)
    whole = MaskAnnounce(t, mask.n_bits, payload, coding)
    if base is None or base.mask.n_bits != mask.n_bits:
        return whole
    coding, payload = encode_mask(bits, base.mask.unpack())
    if coding is not Coding.CHANGES:
        return whole
    gap = t - base.round_index
    changes = MaskAnnounce(t, mask.n_bits, payload, coding, gap, mask_check(mask))
    return min(whole, changes, key=_n_bytes)


def mask_check(mask: PackedMask) -> int:
    """Return 16 bits that tell a mask from most others."""
    return xxhash.xxh3_64_intdigest(mask.bits) & 0xFFFF


def _n_bytes(message: MaskAnnounce) -> int:
    """Return the bytes of all frames: a header that names a base is longer."""
    return sum(len(frame) for frame in encode(message))
