import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prisam_p2p.core.bits import packed_size
from prisam_p2p.wire.mask_coding import (
    MAX_NUMBER_BYTES,
    decode_mask,
    encode_as,
    encode_mask,
)
from prisam_p2p.wire.messages import Coding

PACKED, CHANGES, DENSITY = Coding
VGG11 = 2752


def mask_of(n_bits, ones):
    mask = np.zeros(n_bits, np.bool_)
    mask[list(ones)] = True
    return mask


def ten(*ones):
    return mask_of(10, ones)


HUNDREDTHS = range(0, VGG11, 100)
_SPARSE = "42326268488c20263e21dd93dc852656eff7808a1015cb3708f4124"

# Coding, mask, base, payload in hex. Numbers of n = 10 worked by hand: docstring of index_of.
GOLDEN = [
    (PACKED, ten(), None, "0000"),
    (PACKED, ten(0, 9), None, "8040"),
    (PACKED, mask_of(VGG11, range(0, VGG11, 2)), None, "aa" * 344),
    (CHANGES, ten(), ten(), ""),
    (CHANGES, ten(0), ten(), "01"),
    (CHANGES, ten(), ten(0), "01"),  # the base's bit flips
    (CHANGES, ten(9), ten(), "0a"),
    (CHANGES, ten(0, 1), ten(), "0b"),  # 1 + 10
    (CHANGES, ten(0, 2), ten(0, 1), "0d"),  # {1, 2}: 11 + C(1, 1) + C(2, 2)
    (CHANGES, ten(*range(10)), ten(), "03ff"),
    (CHANGES, mask_of(VGG11, [0, 2751]), mask_of(VGG11, []), "39c2a2"),
    (CHANGES, mask_of(VGG11, [5, 700]), mask_of(VGG11, [1376, 2751]), "022b55f70561"),
    (DENSITY, ten(), None, ""),
    (DENSITY, ten(*range(10)), None, "01"),
    (DENSITY, ten(3), None, "08"),
    (DENSITY, ten(0, 1, 2, 4, 5, 6, 7, 8, 9), None, "09"),
    (DENSITY, ten(0, 1, 2, 3, 4), None, "0304"),  # 2 * (1 + 10 + 45 + 120 + 210)
    (DENSITY, ten(5, 6, 7, 8, 9), None, "04fa"),  # half of the bits: the ones count
    (DENSITY, mask_of(VGG11, HUNDREDTHS), None, _SPARSE + "4"),
    (DENSITY, ~mask_of(VGG11, HUNDREDTHS), None, _SPARSE + "5"),
]


@pytest.mark.parametrize(("coding", "mask", "base", "wire"), GOLDEN)
def test_golden(coding, mask, base, wire):
    """If this fails, two releases can no longer talk: bump WIRE_VERSION."""
    assert encode_as(coding, mask, base).hex() == wire
    for payload in (bytes.fromhex(wire), memoryview(bytes.fromhex(wire))):
        decoded = decode_mask(coding, payload, mask.size, base)
        assert decoded.dtype == np.bool_
        assert decoded.tolist() == mask.tolist()


def test_codings_have_their_numbers():
    assert [(coding.name, int(coding)) for coding in Coding] == [
        ("PACKED", 0),
        ("CHANGES", 1),
        ("DENSITY", 2),
    ]


# What the decoder refuses. Each row breaks one rule. 10 bits have 2**10 = 0x400 sets.


@pytest.mark.parametrize(
    ("coding", "payload", "n_bits", "base", "why"),
    [
        (PACKED, "", 10, None, "0 bytes for 10 bits"),
        (PACKED, "80", 10, None, "1 bytes for 10 bits"),
        (PACKED, "804000", 10, None, "3 bytes for 10 bits"),
        (PACKED, "8020", 10, None, "padding"),
        (PACKED, "8041", 10, None, "padding"),
        (PACKED, "", 0, None, "a mask of 0 bits"),
        (CHANGES, "01", 10, None, "changes without a base"),
        (CHANGES, "", 10, None, "changes without a base"),
        (CHANGES, "01", 10, ten()[:9], "a base of shape .9,. for 10 bits"),
        (CHANGES, "01", 10, mask_of(11, []), "a base of shape .11,. for 10 bits"),
        (CHANGES, "01", 10, ten().reshape(2, 5), "a base of shape .2, 5. for 10 bits"),
        (CHANGES, "", 0, mask_of(0, []), "a mask of 0 bits"),
        (CHANGES, "", -1, ten(), "a mask of -1 bits"),
        (CHANGES, "00", 10, ten(), "leading zeros"),
        (CHANGES, "0001", 10, ten(), "leading zeros"),
        (CHANGES, "0400", 10, ten(), "beyond the sets of at most 10 of 10"),
        (CHANGES, "ffff", 10, ten(), "beyond the sets"),
        (CHANGES, "010000", 10, ten(), "3 bytes for 10 bits"),
        (CHANGES, "000001", 10, ten(), "3 bytes for 10 bits"),
        (CHANGES, "02", 1, mask_of(1, []), "beyond the sets of at most 1 of 1"),
        (DENSITY, "", 0, None, "a mask of 0 bits"),
        (DENSITY, "00", 10, None, "leading zeros"),
        (DENSITY, "0008", 10, None, "leading zeros"),
        (DENSITY, "0305", 10, None, "beyond the sets of at most 4 of 10"),  # 5 zeros: by the ones
        (DENSITY, "04fb", 10, None, "beyond the sets of at most 4 of 10"),
        (DENSITY, "04fc", 10, None, "beyond the sets of at most 5 of 10"),
        (DENSITY, "ffff", 10, None, "beyond the sets"),
        (DENSITY, "010000", 10, None, "3 bytes for 10 bits"),
        (DENSITY, "02", 1, None, "beyond the sets of at most 0 of 1"),
        (DENSITY, "ff" * 344, VGG11, None, "beyond the sets of at most 1375 of 2752"),
        (DENSITY, "01" + "00" * 344, VGG11, None, "345 bytes for 2752 bits"),
        (DENSITY, "01" * 513, 8 * 513, None, "a number of 513 bytes"),
        (CHANGES, "01" * 513, 8 * 513, mask_of(8 * 513, []), "a number of 513 bytes"),
    ],
)
def test_refusals(coding, payload, n_bits, base, why):
    with pytest.raises(ValueError, match=why):
        decode_mask(coding, bytes.fromhex(payload), n_bits, base)


@pytest.mark.parametrize("coding", [CHANGES, DENSITY])
def test_a_number_of_512_bytes_passes(coding):
    n_bits = 8 * MAX_NUMBER_BYTES
    base = mask_of(n_bits, [])
    payload = b"\x01" + bytes(MAX_NUMBER_BYTES - 1)
    assert encode_as(coding, decode_mask(coding, payload, n_bits, base), base) == payload


@pytest.mark.parametrize(
    ("mask", "base", "why"),
    [
        (mask_of(0, []), None, "a mask of 0 bits"),
        (ten(), ten()[:9], "a base of shape .9,. for 10 bits"),
    ],
)
def test_a_mask_that_cannot_be_encoded(mask, base, why):
    with pytest.raises(ValueError, match=why):
        encode_mask(mask, base)


@pytest.mark.parametrize("coding", [CHANGES, DENSITY])
def test_a_payload_cannot_ask_for_memory(coding):
    base = mask_of(VGG11, range(0, VGG11, 2))
    payloads = b"\xff" * 344, b"\x01" * 344, b"\x01" + bytes(2**20)
    tracemalloc.start()
    try:
        for payload in payloads:
            try:
                decode_mask(coding, payload, VGG11, base)
            except ValueError:
                continue
        assert tracemalloc.get_traced_memory()[1] < 2**18
    finally:
        tracemalloc.stop()


# All masks of few bits, and all payloads.


@pytest.mark.parametrize("n_bits", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("coding", Coding)
def test_each_mask_has_one_payload_and_no_other_payload_is_accepted(coding, n_bits):
    masks = [np.array(bits, np.bool_) for bits in product([False, True], repeat=n_bits)]
    base = masks[len(masks) // 3]
    accepted = {}
    for length in range(packed_size(n_bits) + 1):
        for payload in map(bytes, product(range(256), repeat=length)):
            try:
                mask = decode_mask(coding, payload, n_bits, base)
            except ValueError:
                continue
            accepted[payload] = mask.tolist()
    expected = {encode_as(coding, mask, base): mask.tolist() for mask in masks}
    fit = {w: bits for w, bits in expected.items() if len(w) <= packed_size(n_bits)}
    assert accepted == fit
    assert len(expected) == len(masks)


# Every mask, with and without a base.


@st.composite
def masks(draw, n_bits=None):
    """Masks of all densities, few ones or zeros among them."""
    n_bits = n_bits or draw(st.integers(1, 300))
    some = mask_of(n_bits, draw(st.sets(st.integers(0, n_bits - 1), max_size=40)))
    seed = draw(st.integers(0, 2**32 - 1))
    many = np.random.default_rng(seed).random(n_bits) < draw(st.floats(0, 1))
    return draw(st.sampled_from([some, ~some, many]))


def code_length(coding, mask, base):
    return len(encode_as(coding, mask, base))


@given(masks(), st.data())
def test_the_shortest_coding_wins_and_decodes(mask, data):
    base = data.draw(st.none() | st.just(mask) | masks(mask.size))
    coding, payload = encode_mask(mask, base)
    usable = [c for c in Coding if base is not None or c is not CHANGES]
    assert coding == min(usable, key=lambda c: (code_length(c, mask, base), c))
    assert payload == encode_as(coding, mask, base)
    assert len(payload) <= packed_size(mask.size)
    assert decode_mask(coding, payload, mask.size, base).tolist() == mask.tolist()


@given(masks(), st.data())
def test_decode_inverts_every_coding(mask, data):
    base = data.draw(masks(mask.size))
    for coding in Coding:
        payload = encode_as(coding, mask, base)
        if len(payload) > packed_size(mask.size):
            assert coding is DENSITY
            assert len(payload) == packed_size(mask.size) + 1
        else:
            assert decode_mask(coding, payload, mask.size, base).tolist() == mask.tolist()


@given(masks(VGG11), masks(VGG11))
def test_masks_of_vgg11(mask, flips):
    base = mask ^ flips
    coding, payload = encode_mask(mask, base)
    assert len(payload) <= 344
    assert decode_mask(coding, payload, VGG11, base).tolist() == mask.tolist()


@given(masks())
def test_an_unchanged_mask_costs_nothing(mask):
    assert encode_mask(mask, mask.copy()) == (CHANGES, b"")


@pytest.mark.parametrize(
    ("flips", "n_bytes"), [(1, 2), (2, 3), (4, 6), (8, 10), (16, 18), (32, 31), (64, 55), (128, 93)]
)
def test_changes_of_vgg11_are_short(flips, n_bytes):
    rng = np.random.default_rng(flips)
    base = rng.random(VGG11) < 0.5
    mask = base ^ mask_of(VGG11, rng.permutation(VGG11)[:flips])
    coding, payload = encode_mask(mask, base)
    assert coding is CHANGES
    assert n_bytes - 1 <= len(payload) <= n_bytes


def test_of_two_equally_short_codings_the_lower_number_wins():
    mask = mask_of(40, [9, 23])  # DENSITY is tried first: two ones, three changes
    base = mask ^ mask_of(40, [5, 11, 17])
    assert encode_as(DENSITY, mask, base).hex() == "025e"
    assert encode_as(CHANGES, mask, base).hex() == "0619"
    assert encode_mask(mask, base) == (CHANGES, bytes.fromhex("0619"))


def test_a_decoded_mask_is_an_array_of_its_own():
    base = ten(1, 2, 3)
    decoded = decode_mask(CHANGES, b"", 10, base)
    decoded[0] = True
    assert base.tolist() == ten(1, 2, 3).tolist()


def test_a_long_mask_is_coded_where_the_number_is_short():
    rng = np.random.default_rng(0)
    mask = rng.random(50_000) < 0.3
    assert encode_mask(mask, None)[0] is PACKED  # its number would have 5,500 bytes
    coding, payload = encode_mask(mask, mask ^ mask_of(50_000, [7, 49_999]))
    assert (coding, len(payload)) == (CHANGES, 4)


def test_no_number_of_more_than_512_bytes_is_sent():
    n_bits, lengths = 5000, set()
    for ones in range(1266, 1282, 2):
        mask = mask_of(n_bits, range(n_bits - ones, n_bits))
        lengths.add(len(encode_as(DENSITY, mask, None)))
        coding, payload = encode_mask(mask, None)
        assert (coding is DENSITY) == (len(encode_as(DENSITY, mask, None)) <= MAX_NUMBER_BYTES)
        assert decode_mask(coding, payload, n_bits, None).tolist() == mask.tolist()
    assert {MAX_NUMBER_BYTES, MAX_NUMBER_BYTES + 1} <= lengths


# Noise.


@given(st.sampled_from(Coding), st.integers(-1, 40), st.integers(-1, 1), st.binary(max_size=6))
@example(PACKED, 8, 0, b"\x01")
def test_noise_is_refused_or_the_one_payload_of_its_mask(coding, n_bits, longer, payload):
    base = mask_of(max(0, n_bits + longer), [])
    try:
        mask = decode_mask(coding, payload, n_bits, base)
    except ValueError:
        return
    assert encode_as(coding, mask, base[: mask.size]) == payload


@given(st.sampled_from(Coding), st.binary(max_size=345), masks(VGG11))
def test_noise_for_vgg11(coding, payload, base):
    try:
        mask = decode_mask(coding, payload, VGG11, base)
    except ValueError:
        return
    assert encode_as(coding, mask, base) == payload
