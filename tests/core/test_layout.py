from dataclasses import replace

import numpy as np
import pytest
from hand_layouts import (
    COUNTER,
    constant,
    layouts,
    mask_of,
    masks,
    networks,
    plain,
    random_weights,
    residual,
    same,
    seeds,
)
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.layout import FLOAT16, FLOAT32, Layout, Weights, narrow, pack, unpack, widen

GOLDEN_MASK = mask_of("10 01")
GOLDEN = bytes.fromhex(
    "0000803f 00000040"  # conv1.weight: filter 0 of two, 1x2: 1 2
    "0000a040"  # bn1.weight: channel 0: 5
    "0000e040"  # bn1.bias: 7
    "00001041"  # bn1.running_mean: 9
    "00003041"  # bn1.running_var: 11
    "0700000000000000"  # bn1.num_batches_tracked: 7, eight bytes, low byte first
    "00007041"  # conv2.weight: filter 1, in-channel 0: 15
    "000080be"  # bn2.weight: channel 1: -0.25
    "00000000"  # bn2.bias
    "00000000"  # bn2.running_mean
    "0000803f"  # bn2.running_var
    "0001000000000000"  # bn2.num_batches_tracked: 256
    "0000003f 00000040"  # linear.weight: column 1 of both rows: 0.5 2
    "00008040 0000a040"  # linear.bias: 4 5
)


GOLDEN_HALF = bytes.fromhex(
    "003c 0040"  # conv1.weight
    "0045"  # bn1.weight
    "0047"
    "8048"
    "8049"
    "0700000000000000"  # counters keep their eight bytes
    "804b"  # conv2.weight
    "00b4"  # bn2.weight: -0.25
    "0000"
    "0000"
    "003c"
    "0001000000000000"
    "0038 0040"  # linear.weight
    "0044 0045"  # linear.bias
)


def golden_weights():
    return constant(
        plain(2, 2, 2),
        0,
        conv1__weight=[1, 2, 3, 4],
        bn1__weight=[5, 6],
        bn1__bias=[7, 8],
        bn1__running_mean=[9, 10],
        bn1__running_var=[11, 12],
        bn1__num_batches_tracked=7,
        conv2__weight=[[13, 14], [15, 16]],
        bn2__weight=[0.75, -0.25],
        bn2__running_var=[1, 1],
        bn2__num_batches_tracked=256,
        linear__weight=[[0.25, 0.5], [1, 2]],
        linear__bias=[4, 5],
    )


def test_golden_bytes_of_a_slim_network():
    """If this fails, the meaning of the bytes on the wire has changed: bump WIRE_VERSION."""
    layout = plain(2, 2, 2)
    slim = narrow(layout, golden_weights(), GOLDEN_MASK)
    assert pack(layout, slim) == GOLDEN
    assert same(unpack(layout, GOLDEN_MASK, GOLDEN), slim)


@given(networks())
def test_unpack_inverts_pack(network):
    layout, slim = network
    buffer = pack(layout, slim)
    assert len(buffer) == layout.n_bytes(slim.mask)
    assert same(unpack(layout, slim.mask, buffer), slim)


@given(networks(), st.integers(-9, 9).filter(bool))
def test_a_buffer_of_another_length_is_refused(network, n_more):
    layout, slim = network
    buffer = bytes(pack(layout, slim))
    wrong = buffer + bytes(n_more) if n_more > 0 else buffer[:n_more]
    with pytest.raises(ValueError, match=f"{len(wrong)} bytes for a layout of {len(buffer)}"):
        unpack(layout, slim.mask, wrong)


@pytest.mark.parametrize("as_buffer", [bytes, bytearray, memoryview])
def test_unpacked_tensors_are_read_only_views(as_buffer):
    layout = plain()
    buffer = as_buffer(bytearray(pack(layout, random_weights(layout, 0))))
    for name, array in unpack(layout, layout.full_mask(), buffer).tensors.items():
        assert np.shares_memory(array, np.frombuffer(buffer, np.uint8)), name
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_golden_bytes_of_a_slim_network_in_float16():
    """If this fails, the meaning of the bytes on the wire has changed: bump WIRE_VERSION."""
    layout = plain(2, 2, 2)
    slim = narrow(layout, golden_weights(), GOLDEN_MASK)
    assert pack(layout, slim, FLOAT16) == GOLDEN_HALF
    assert same(unpack(layout, GOLDEN_MASK, GOLDEN_HALF, FLOAT16), slim)


@given(networks())
def test_float16_has_a_relative_error_of_at_most_a_thousandth(network):
    layout, slim = network
    buffer = pack(layout, slim, FLOAT16)
    assert len(buffer) == layout.n_bytes(slim.mask, FLOAT16)
    again = unpack(layout, slim.mask, buffer, FLOAT16)
    assert list(again.tensors) == list(slim.tensors)
    for name, array in slim.tensors.items():
        assert again.tensors[name].dtype == array.dtype
        if array.dtype == FLOAT32:
            error = np.abs(again.tensors[name] - array)
            assert (error <= 1e-3 * np.abs(array) + 2.0**-25).all(), name  # subnormal below 6e-5
        else:
            assert again.tensors[name].tolist() == array.tolist()
    assert pack(layout, again, FLOAT16) == buffer  # exact values are not rounded again


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (65504.0, 65504.0),
        (65519.0, 65504.0),
        (65520.0, 65504.0),  # from here on NumPy rounds to infinity
        (1e30, 65504.0),
        (-1e30, -65504.0),
        (1 + 2.0**-11, 1.0),  # a tie goes to even
        (1 + 3 * 2.0**-11, 1 + 2.0**-9),
        (2.0**-24, 2.0**-24),
        (2.0**-26, 0.0),
        (np.nan, np.nan),
    ],
)
def test_float16_rounds_to_nearest_and_stays_finite(value, packed):
    layout = plain()
    weights = constant(layout, 0, bn1__weight=[value, 0, 0, 0])
    again = unpack(layout, weights.mask, pack(layout, weights, FLOAT16), FLOAT16)
    np.testing.assert_array_equal(again.tensors["bn1.weight"], np.float32([packed, 0, 0, 0]))


def test_a_buffer_in_another_float_format_is_refused():
    layout, weights = plain(), random_weights(plain(), 0)
    mask = layout.full_mask()
    with pytest.raises(ValueError, match="bytes for a layout of"):
        unpack(layout, mask, pack(layout, weights, FLOAT16))
    with pytest.raises(ValueError, match="bytes for a layout of"):
        unpack(layout, mask, pack(layout, weights), FLOAT16)


def test_tensors_unpacked_from_float16_are_read_only_copies():
    layout = plain()
    buffer = bytearray(pack(layout, random_weights(layout, 0), FLOAT16))
    tensors = unpack(layout, layout.full_mask(), buffer, FLOAT16).tensors
    before = tensors["conv1.weight"].tolist()
    buffer[:16] = bytes(16)
    assert tensors["conv1.weight"].tolist() == before
    for array in tensors.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_packed_buffer_is_read_only():
    assert pack(plain(), random_weights(plain(), 0)).readonly


@given(networks())
def test_narrow_inverts_widen(network):
    layout, slim = network
    assert same(narrow(layout, widen(layout, slim), slim.mask), slim)


@given(networks())
def test_widen_puts_zero_where_there_is_no_entry(network):
    layout, slim = network
    full = widen(layout, slim)
    ones = Weights(slim.mask, {n: np.ones_like(a) for n, a in slim.tensors.items()})
    there = widen(layout, ones)
    assert full.mask.all()
    for t in layout.tensors:
        assert full.tensors[t.name].shape == t.shape
        assert full.tensors[t.name].dtype == t.dtype
        assert np.count_nonzero(there.tensors[t.name]) == slim.tensors[t.name].size
        assert not full.tensors[t.name][there.tensors[t.name] == 0].any()


@given(layouts, seeds, st.data())
def test_narrowing_twice_is_narrowing_once(layout, seed, data):
    wide = data.draw(masks(layout))
    mask = wide & data.draw(masks(layout))
    full = random_weights(layout, seed)
    assert same(narrow(layout, narrow(layout, full, wide), mask), narrow(layout, full, mask))


def test_narrow_keeps_entries_whose_every_axis_is_kept():
    full = golden_weights()
    slim = narrow(plain(2, 2, 2), full, mask_of("01 11"))
    assert slim.mask.tolist() == [False, True, True, True]
    assert slim.tensors["conv1.weight"].tolist() == [[[[3, 4]]]]
    assert slim.tensors["conv2.weight"].tolist() == [[[[14]]], [[[16]]]]
    assert slim.tensors["linear.weight"].tolist() == [[0.25, 0.5], [1, 2]]


def test_an_ungoverned_position_is_always_kept():
    layout = residual(2, 1, 1)
    full = constant(layout, 0, bn4__weight=[1, 2, 3], linear__weight=[4, 5, 6])
    slim = narrow(layout, full, mask_of("01 0"))
    assert slim.tensors["bn4.weight"].tolist() == [1, 3]
    assert slim.tensors["linear.weight"].tolist() == [[4, 6]]


@pytest.mark.parametrize(("have", "want"), [("1011 101", "1111 101"), ("0000 000", "0000 001")])
def test_narrowing_to_absent_channels_is_refused(have, want):
    layout = plain()
    slim = narrow(layout, random_weights(layout, 0), mask_of(have))
    with pytest.raises(ValueError, match="channels that the weights do not have"):
        narrow(layout, slim, mask_of(want))


@pytest.mark.parametrize(
    ("layout", "mask", "n_parameters", "n_bytes"),
    [
        # conv1 4*2, bn1 2*4, conv2 3*4, bn2 2*3, linear 2*3 + 2; statistics 2*4 + 2*3; 2 counters
        (plain(4, 3, 2), "1111 111", 42, 4 * (42 + 14) + 16),
        # conv1 2*2, bn1 2*2, conv2 1*2, bn2 2*1, linear 2*1 + 2; statistics 2*2 + 2*1
        (plain(4, 3, 2), "0110 001", 16, 4 * (16 + 6) + 16),
        # conv1 3, bn1 6, conv2 2*3*2, bn2 4, conv3 3*2, bn3 6, bn4 8, linear 2*4 + 2; 4 counters
        (residual(3, 2, 2), "111 11", 55, 4 * (55 + 24) + 32),
        # conv1 1, bn1 2, conv2 1*1*2, bn2 2, conv3 1, bn3 2, bn4 4, linear 2*2 + 2
        (residual(3, 2, 2), "010 01", 20, 4 * (20 + 10) + 32),
    ],
)
def test_sizes_match_a_count_by_hand(layout, mask, n_parameters, n_bytes):
    assert layout.n_parameters(mask_of(mask)) == n_parameters
    assert layout.n_bytes(mask_of(mask)) == n_bytes
    counters = 8 * sum(t.dtype == COUNTER for t in layout.tensors)
    assert layout.n_bytes(mask_of(mask), FLOAT16) == counters + (n_bytes - counters) // 2


def test_bits_and_spans():
    layout = residual(3, 2)
    assert layout.n_bits == 5
    assert layout.spans == (slice(0, 3), slice(3, 5))
    assert layout.n_bn_channels == 3 + 2 + 3 + 4  # coupled channels count in every layer
    assert layout.full_mask().tolist() == [True] * 5


def test_equal_layouts_have_equal_digests():
    assert plain().digest == plain().digest
    assert len(plain().digest) == 16


def _with_first(layout, **changes):
    first, *rest = layout.tensors
    return Layout(layout.sets, (replace(first, **changes), *rest))


@pytest.mark.parametrize(
    "other",
    [
        plain(5, 3, 2),
        plain(4, 2, 2),
        plain(4, 3, 3),
        residual(4, 3, 2),
        _with_first(plain(), name="conv9.weight"),
        _with_first(plain(), shape=(4, 1, 2, 1)),
        _with_first(plain(), dtype=np.dtype("<f8")),
        _with_first(plain(), bits={}),
        _with_first(plain(), bits={0: np.array([0, 1, 3, 2])}),
        Layout(plain().sets, plain().tensors[::-1]),
        Layout(plain().sets[::-1], plain().tensors),
        Layout((replace(plain().sets[0], name="bn9"), plain().sets[1]), plain().tensors),
        Layout((replace(plain().sets[0], size=5), plain().sets[1]), plain().tensors),
    ],
)
def test_any_change_of_the_layout_changes_the_digest(other):
    assert other.digest != plain().digest


def test_the_digest_depends_on_the_axis_that_a_bit_governs():
    bits = np.arange(4)
    one = _with_first(plain(), shape=(4, 4), bits={0: bits})
    other = _with_first(plain(), shape=(4, 4), bits={1: bits})
    assert one.digest != other.digest
