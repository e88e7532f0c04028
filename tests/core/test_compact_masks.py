import hand_layouts
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.grouping import compact, hamming


def mask_of(bits):
    return PackedMask.pack(hand_layouts.mask_of(bits))


mask_tables = hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(0, 20)))


def test_compaction_drops_the_bits_in_which_all_agree():
    masks = {"bob": mask_of("1010 1"), "ada": mask_of("1100 1"), "eve": mask_of("1000 0")}
    peers, rows = compact(masks)
    assert peers == ("ada", "bob", "eve")  # ordered by id, not by arrival
    assert rows.astype(int).tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 0]]


def test_identical_masks_leave_no_bit():
    _, rows = compact({"a": mask_of("101"), "b": mask_of("101")})
    assert rows.shape == (2, 0)


@given(mask_tables)
def test_compaction_keeps_every_distance(table):
    peers, rows = compact({f"p{i}": PackedMask.pack(row) for i, row in enumerate(table)})
    assert hamming(rows).tolist() == hamming(table).tolist()
    assert len(peers) == len(rows) == len(table)
    assert all(0 < column.sum() < len(rows) for column in rows.T)


@given(mask_tables)
def test_hamming_counts_differing_bits(table):
    distances = hamming(table)
    assert distances.dtype == np.int64
    assert distances.tolist() == [[int((a != b).sum()) for b in table] for a in table]


def test_hamming_is_exact_on_long_masks():
    table = np.zeros((2, 100_001), np.bool_)
    table[1, ::2] = True
    assert hamming(table).tolist() == [[0, 50_001], [50_001, 0]]


@pytest.mark.parametrize(
    ("masks", "why"),
    [({}, "no masks"), ({"a": mask_of("10"), "b": mask_of("101")}, "different lengths")],
)
def test_masks_that_cannot_be_compared_are_refused(masks, why):
    with pytest.raises(ValueError, match=why):
        compact(masks)
