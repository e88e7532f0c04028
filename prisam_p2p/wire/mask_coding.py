"""Codes a mask as the bytes of a message, in the shortest of three codings.

PACKED is the bits themselves. CHANGES needs a mask that both sides hold. DENSITY is short for masks
of mostly ones or mostly zeros. Within one coding a mask has exactly one payload; any other payload
is refused. CHANGES and DENSITY are numbers, big-endian, in the fewest bytes: zero takes none.
docs/decisions/0014-mask-coding.md has sizes and times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from itertools import count
from typing import assert_never

import numpy as np

from prisam_p2p.core.bits import pack_bits, packed_size, unpack_bits
from prisam_p2p.core.layout import Mask

MAX_NUMBER_BYTES = 512
"""Longer numbers are neither sent nor read: coding time grows with n_bits times their length."""


FEW_TO_RANK, FEW_TO_FIND = 128, 24
"""Up to this many positions, math.comb for each is faster than a walk along all n."""


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


# -- sets of positions as numbers ------------------------------------------------------------
#
# The enumerative code, the shortest if all sets of one size are equally likely. All subsets of n
# positions are ordered by size, then by their rank in the combinatorial number system; the code of
# a set is its index in that order.
#
# Source: T. M. Cover, "Enumerative source encoding", IEEE Trans. Information Theory 19(1), 1973;
# why this one: docs/decisions/0014-mask-coding.md.


def index_of(positions: Sequence[int], n: int) -> int:
    """Return the index, in [0, 2**n), of a set among all subsets of range(n).

    It is sum(C(n, j) for j < len(positions)) + sum(C(p, i + 1) for the i-th position p): 0 for
    the empty set, 1 + p for {p}. `positions` ascend strictly and lie in range(n), unchecked.
    Time grows, beyond a few positions, with n times the length of the index.
    """
    smaller = _count_smaller(n, len(positions))
    if len(positions) <= FEW_TO_RANK:
        return smaller + sum(map(math.comb, positions, count(1)))
    return smaller + _rank_along(positions)


def positions_of(index: int, n: int, most: int) -> list[int]:
    """Return the set at `index`, ascending: the inverse of `index_of`.

    Raises:
        ValueError: the set at `index` has more than `most` positions; `most` <= n.
    """
    size, choices = 0, 1
    while index >= choices:
        if size == most:
            raise ValueError(f"an index beyond the sets of at most {most} of {n} positions")
        index -= choices
        choices = choices * (n - size) // (size + 1)  # C(n, size + 1)
        size += 1
    return _unranked(index, n, size, choices)


def least_bytes(n: int, size: int) -> int:
    """Return a cheap, close lower bound of the bytes of the index of a set of `size` positions.

    All smaller sets precede it: among them C(n, size - 1), or C(n, n // 2) if that size is less.
    """
    if size == 0:
        return 0
    j = min(size - 1, n // 2)
    bits = (math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1)) / math.log(2)
    return max(0, math.ceil((bits - 0.01) / 8))  # 0.01: lgamma rounds


def _count_smaller(n: int, size: int) -> int:
    """Return sum(C(n, j) for j < size)."""
    count, choices = 0, 1
    for j in range(size):
        count += choices
        choices = choices * (n - j) // (j + 1)
    return count


def _rank_along(positions: Sequence[int]) -> int:
    """Return sum(C(p, i + 1) for the i-th position p), each term from the one before."""
    rank, place, choices = 0, 0, 1
    for taken, position in enumerate(positions):
        while place < position:
            place += 1
            choices = choices * place // (place - taken)  # C(place, taken)
        one_more = choices * (place - taken) // (taken + 1)  # C(place, taken + 1)
        rank += one_more
        place, choices = place + 1, choices + one_more  # C(place + 1, taken + 1)
    return rank


def _unranked(rank: int, n: int, size: int, choices: int) -> list[int]:
    """Return the set of `size` with this rank, below choices = C(n, size), ascending."""
    positions = []
    place = n
    while size > FEW_TO_FIND:
        without = choices * (place - size) // place  # C(place - 1, size)
        place -= 1
        if rank < without:
            choices = without
        else:
            positions.append(place)
            rank -= without
            choices -= without  # C(place, size - 1)
            size -= 1
    for left in range(size, 0, -1):
        place = _highest(rank, place, left)
        positions.append(place)
        rank -= math.comb(place, left)
    return positions[::-1]


def _highest(rank: int, below: int, size: int) -> int:
    """Return the highest place under `below` with C(place, size) <= rank.

    C(place, size) is close to (place - (size - 1) / 2) ** size / size!, so a guess from it is a
    step or two off.
    """
    if rank == 0:
        return size - 1
    root = math.exp((math.log(rank) + math.lgamma(size + 1)) / size)
    place = min(max(int(root + (size - 1) / 2), size - 1), below - 1)
    while math.comb(place, size) > rank:
        place -= 1
    while place + 1 < below and math.comb(place + 1, size) <= rank:
        place += 1
    return place
