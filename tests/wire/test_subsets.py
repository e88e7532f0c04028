"""Sets of positions as numbers; golden indices are in test_mask_coding.py."""

import math
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.wire.subsets import (
    FEW_TO_FIND,
    FEW_TO_RANK,
    index_of,
    least_bytes,
    positions_of,
)

VGG11 = 2752


@st.composite
def subsets(draw):
    """A number of positions, and a set of them: of any size, or nearly none or all of them."""
    n = draw(st.integers(1, 300))
    few = draw(st.sets(st.integers(0, n - 1), max_size=40))
    seed = draw(st.integers(0, 2**32 - 1))
    many = np.random.default_rng(seed).random(n) < draw(st.floats(0, 1))
    chosen = [few, set(range(n)) - few, np.flatnonzero(many).tolist()]
    return n, sorted(draw(st.sampled_from(chosen)))


@given(subsets())
def test_an_index_is_what_its_docstring_says(subset):
    n, positions = subset
    smaller = sum(math.comb(n, j) for j in range(len(positions)))
    index = index_of(positions, n)
    assert index == smaller + sum(map(math.comb, positions, count(1)))
    assert positions_of(index, n, most=len(positions)) == positions
    assert least_bytes(n, len(positions)) <= (index.bit_length() + 7) // 8


@pytest.mark.parametrize("size", [FEW_TO_FIND, FEW_TO_FIND + 1, FEW_TO_RANK, FEW_TO_RANK + 1])
def test_few_and_many_positions_meet(size):
    for positions in (range(size), range(VGG11 - size, VGG11), range(0, VGG11, VGG11 // size)):
        chosen = list(positions)[:size]
        index = index_of(chosen, VGG11)
        assert positions_of(index, VGG11, most=size) == chosen
        with pytest.raises(ValueError, match="beyond the sets"):
            positions_of(index, VGG11, most=size - 1)
