"""Which mask each neighbor holds, so that only changes need to be sent. Pure.

A connection delivers in order: what was sent on it before is held by the other side by the time
the next message is read. So the base of the changes is the last mask sent on the same
connection, and needs no acknowledgement. A receiver that lacks the base all the same (a message
was lost) asks for the whole mask.
"""

from __future__ import annotations

import xxhash

from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.errors import WireError
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.mask_coding import Coding, decode_mask, encode_mask
from prisam_p2p.wire.messages import MaskAnnounce


class BaseMissing(WireError):
    """Changes to a mask that is not here."""


class MaskSender:
    """Codes our masks for each neighbor, as changes where that is shortest."""

    def __init__(self) -> None:
        self._held: dict[str, MaskAnnounce] = {}
        self._coded: dict[tuple[int, int], MaskAnnounce] = {}

    def forget(self, neighbor: str) -> None:
        """Send `neighbor` the next mask whole: it has a new connection, or asked for it."""
        self._held.pop(neighbor, None)

    def code(self, neighbor: str, mask: MaskAnnounce) -> MaskAnnounce:
        """Return `mask` (PACKED) as it is to be sent to `neighbor`."""
        base = self._held.get(neighbor)
        if base is not None and base.round_index >= mask.round_index:
            base = None
        key = (mask.round_index, base.round_index if base else -1)
        if key not in self._coded:
            self._coded = {k: v for k, v in self._coded.items() if k[0] == mask.round_index}
            self._coded[key] = coded(mask, base)
        return self._coded[key]

    def sent(self, neighbor: str, mask: MaskAnnounce) -> None:
        """Note that `mask` went to `neighbor`."""
        self._held[neighbor] = mask


class MaskReceiver:
    """Decodes the neighbors' masks.

    Args:
        most_bits: longer masks are refused: their payload may be of any length, or none.
    """

    def __init__(self, most_bits: int) -> None:
        self._most_bits = most_bits
        self._held: dict[str, MaskAnnounce] = {}

    def decode(self, neighbor: str, message: MaskAnnounce) -> MaskAnnounce:
        """Return the mask in `message`, PACKED.

        Raises:
            BaseMissing: it is changes to a mask that is not here.
            WireError: it is no mask.
        """
        plain = self._plain(self._held.get(neighbor), message)
        self._held[neighbor] = plain
        return plain

    def _plain(self, base: MaskAnnounce | None, message: MaskAnnounce) -> MaskAnnounce:
        if message.n_bits > self._most_bits:
            raise WireError(f"a mask of {message.n_bits} bits")
        if message.coding is Coding.PACKED:
            return message
        bits = None
        if message.coding is Coding.CHANGES:
            base_round = message.round_index - message.base_gap
            if base is None or base.round_index != base_round or base.n_bits != message.n_bits:
                raise BaseMissing(f"changes to the mask of round {base_round}, not held")
            if not message.bits:  # as before: most masks, once the group has settled
                return self._checked(message, base.bits)
            bits = unpack_bits(base.bits, base.n_bits)
        try:
            mask = decode_mask(message.coding, message.bits, message.n_bits, bits)
        except ValueError as error:
            raise WireError(str(error)) from error
        return self._checked(message, pack_bits(mask))

    @staticmethod
    def _checked(message: MaskAnnounce, packed: bytes) -> MaskAnnounce:
        if message.coding is Coding.CHANGES and mask_check(packed) != message.check:
            raise BaseMissing("changes to another mask than the one held")
        return MaskAnnounce(message.round_index, message.n_bits, packed)


def coded(mask: MaskAnnounce, base: MaskAnnounce | None) -> MaskAnnounce:
    """Return `mask` in its shortest coding."""
    if not mask.n_bits:
        return mask
    bits, t = unpack_bits(mask.bits, mask.n_bits), mask.round_index
    coding, payload = encode_mask(bits, None)
    whole = MaskAnnounce(t, mask.n_bits, payload, coding)
    if base is None or base.n_bits != mask.n_bits:
        return whole
    coding, payload = encode_mask(bits, unpack_bits(base.bits, base.n_bits))
    if coding is not Coding.CHANGES:
        return whole
    gap, check = t - base.round_index, mask_check(mask.bits)
    return min(whole, MaskAnnounce(t, mask.n_bits, payload, coding, gap, check), key=_n_bytes)


def mask_check(packed: bytes) -> int:
    """Return 16 bits that tell a mask from most others."""
    return xxhash.xxh3_64_intdigest(packed) & 0xFFFF


def _n_bytes(message: MaskAnnounce) -> int:
    """Count the bytes of all frames: a header that names a base is longer."""
    return sum(len(frame) for frame in encode(message))
