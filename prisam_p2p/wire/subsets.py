"""Sets of positions as numbers: the enumerative code, the shortest if sets of one size are equally
likely. Pure.

All subsets of n positions are ordered by size, then by their rank in the combinatorial number
system; the code of a set is its index in that order.

Source: T. M. Cover, "Enumerative source encoding", IEEE Trans. Information Theory 19(1), 1973;
why this one: docs/decisions/0014-mask-coding.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

FEW_TO_RANK, FEW_TO_FIND = 128, 24
"""Up to this many positions, math.comb for each is faster than a walk along all n."""


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
