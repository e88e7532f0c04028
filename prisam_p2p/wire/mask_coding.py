"""Codes a mask for each neighbor in the fewest bytes: whole, or as changes to the last. Pure.

A connection delivers in order: when a neighbor reads a message, it has read all that was sent on
the connection before. So changes are relative to the last mask sent on the same connection, and
no acknowledgement is needed. A receiver that still lacks that mask (a message was lost) asks for
the whole one.

The payload of a message is the shortest of three codings (`Coding`). PACKED is the bits
themselves. CHANGES needs a mask that both sides hold. DENSITY is short for masks of mostly ones or
mostly zeros. Within one coding a mask has exactly one payload; any other payload is refused.
CHANGES and DENSITY are numbers, big-endian, in the fewest bytes: zero takes none.
docs/decisions/0014-mask-coding.md has sizes and times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import xxhash

from prisam_p2p.core.bits import PackedMask, pack_bits, packed_size, unpack_bits
from prisam_p2p.core.layout import Mask
from prisam_p2p.errors import WireError
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import Coding, MaskAnnounce
from prisam_p2p.wire.subsets import index_of, least_bytes, positions_of

MAX_NUMBER_BYTES = 512
"""Longer numbers are neither sent nor read: coding time grows with n_bits times their length."""


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


# -- messages --------------------------------------------------------------------------


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


def _decoded(message: MaskAnnounce, base: PackedMask | None) -> PackedMask:
    bits = base.unpack() if base else None
    try:
        return PackedMask.pack(decode_mask(message.coding, message.bits, message.n_bits, bits))
    except ValueError as error:
        raise WireError(str(error)) from error


def _n_bytes(message: MaskAnnounce) -> int:
    """Return the bytes of all frames: a header that names a base is longer."""
    return sum(len(frame) for frame in encode(message))


# -- payloads --------------------------------------------------------------------------


def encode_mask(mask: Mask, base: Mask | None) -> tuple[Coding, bytes]:
    """Return the shortest coding of `mask`, shape (n_bits,), and its payload.

    Ties go to the coding of the lower number; an unchanged mask is (CHANGES, b"").

    Args:
        base: a mask that the receiver holds, shape (n_bits,); None if it holds none.

    Raises:
        ValueError: the mask has no bits, or the base has another shape.
    """
    payload, best = encode_as(Coding.PACKED, mask, None), Coding.PACKED
    sets = {Coding.DENSITY: _minority(mask)[0]}
    if base is not None:
        sets[Coding.CHANGES] = mask != _required(base, mask.size)
    bounds = [(least_bytes(mask.size, _count(chosen)), coding) for coding, chosen in sets.items()]
    for least, coding in sorted(bounds):  # likely shortest first: exact lengths cost time
        if least <= MAX_NUMBER_BYTES and (least, coding) < (len(payload), best):
            other = encode_as(coding, mask, base)
            if len(other) <= MAX_NUMBER_BYTES and (len(other), coding) < (len(payload), best):
                payload, best = other, coding
    return best, payload


def encode_as(coding: Coding, mask: Mask, base: Mask | None) -> bytes:
    """Return the payload of `mask` in this coding, even if PACKED is shorter.

    Raises:
        ValueError: the mask has no bits; CHANGES without a base, or one of another shape.
    """
    _require_bits(mask.size)
    match coding:
        case Coding.PACKED:
            return pack_bits(mask)
        case Coding.CHANGES:
            return _payload(_index(mask != _required(base, mask.size)))
        case Coding.DENSITY:
            rare, mostly_ones = _minority(mask)
            return _payload(2 * _index(rare) + mostly_ones)
        case _:
            assert_never(coding)


def decode_mask(
    coding: Coding, payload: bytes | memoryview, n_bits: int, base: Mask | None
) -> Mask:
    """Return the mask in `payload`, shape (n_bits,), as a new array; memory is O(n_bits).

    The coding need not be the shortest: the sender chooses.

    Raises:
        ValueError: no mask of `n_bits` has this payload in this coding (an index out of range,
            leading zeros, set padding bits, more bytes than PACKED or MAX_NUMBER_BYTES has);
            CHANGES comes without a base, or the base has another length; n_bits is not positive.
    """
    _require_bits(n_bits)
    if len(payload) > packed_size(n_bits):
        raise ValueError(f"{len(payload)} bytes for {n_bits} bits")
    match coding:
        case Coding.PACKED:
            return unpack_bits(bytes(payload), n_bits)
        case Coding.CHANGES:
            return _required(base, n_bits) ^ _members(_number(payload), n_bits, n_bits)
        case Coding.DENSITY:
            index, mostly_ones = divmod(_number(payload), 2)
            rare = _members(index, n_bits, (n_bits - mostly_ones) // 2)
            return ~rare if mostly_ones else rare
        case _:
            assert_never(coding)


def _minority(mask: Mask) -> tuple[Mask, bool]:
    """Return the ones, or the zeros if more than half are ones; and whether these are zeros."""
    mostly_ones = 2 * _count(mask) > mask.size
    return (~mask if mostly_ones else mask), mostly_ones


def _count(chosen: Mask) -> int:
    return int(np.count_nonzero(chosen))


def _index(chosen: Mask) -> int:
    return index_of(np.flatnonzero(chosen).tolist(), chosen.size)


def _payload(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _number(payload: bytes | memoryview) -> int:
    if len(payload) > MAX_NUMBER_BYTES:
        raise ValueError(f"a number of {len(payload)} bytes")
    if len(payload) and payload[0] == 0:
        raise ValueError("a number with leading zeros")
    return int.from_bytes(payload, "big")


def _members(index: int, n_bits: int, most: int) -> Mask:
    members = np.zeros(n_bits, np.bool_)
    members[positions_of(index, n_bits, most)] = True
    return members


def _require_bits(n_bits: int) -> None:
    if n_bits < 1:
        raise ValueError(f"a mask of {n_bits} bits")


def _required(base: Mask | None, n_bits: int) -> Mask:
    if base is None:
        raise ValueError("changes without a base")
    if base.shape != (n_bits,):
        raise ValueError(f"a base of shape {base.shape} for {n_bits} bits")
    return base
