import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prisam_p2p.core.bits import PackedMask, pack_bits, packed_size, unpack_bits

masks = hnp.arrays(np.bool_, st.integers(0, 70))


def test_bit_0_is_the_high_bit_of_byte_0():
    mask = np.array([1, 0, 0, 0, 0, 0, 1, 1, 0, 1], np.bool_)
    assert pack_bits(mask) == b"\x83\x40"
    assert unpack_bits(b"\x83\x40", 10).tolist() == mask.tolist()


@given(masks)
def test_unpack_inverts_pack(mask):
    packed = pack_bits(mask)
    assert len(packed) == packed_size(mask.size)
    again = unpack_bits(packed, mask.size)
    assert again.dtype == np.bool_
    assert again.tolist() == mask.tolist()


@given(st.binary(max_size=3), st.integers(0, 24))
def test_what_unpacks_packs_to_the_same_bytes(packed, n_bits):
    try:
        mask = unpack_bits(packed, n_bits)
    except ValueError:
        return  # and nothing else is raised
    assert pack_bits(mask) == packed


@pytest.mark.parametrize(
    ("n_bits", "n_bytes"), [(0, 0), (1, 1), (7, 1), (8, 1), (9, 2), (2752, 344), (2753, 345)]
)
def test_packed_size(n_bits, n_bytes):
    assert packed_size(n_bits) == n_bytes
    assert len(pack_bits(np.ones(n_bits, np.bool_))) == n_bytes


@pytest.mark.parametrize(
    ("packed", "n_bits", "why"),
    [
        (b"", 1, "0 bytes for 1 bits"),
        (b"", -1, "0 bytes for -1 bits"),
        (b"\x00\x00", 8, "2 bytes for 8 bits"),
        (b"\x00", 9, "1 bytes for 9 bits"),
        (b"\x01", 7, "padding"),
        (b"\x40", 1, "padding"),
        (b"\x00\x20", 10, "padding"),
    ],
)
def test_refusals(packed, n_bits, why):
    with pytest.raises(ValueError, match=why):
        unpack_bits(packed, n_bits)
    with pytest.raises(ValueError, match=why):
        PackedMask(n_bits, packed)


@given(masks)
def test_a_packed_mask_is_equal_to_another_where_the_masks_are(mask):
    packed = PackedMask.pack(mask)
    assert packed == PackedMask(mask.size, pack_bits(mask))
    assert bytes.fromhex(packed.hex) == packed.bits
    again = packed.unpack()
    assert again.tolist() == mask.tolist()
    again ^= True  # a new array: the packed mask does not change
    assert packed.unpack().tolist() == mask.tolist()
    assert (packed == PackedMask.pack(again)) == (mask.size == 0)
