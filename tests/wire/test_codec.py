import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.bits import packed_size
from prisam_p2p.errors import WireError
from prisam_p2p.wire.codec import MAX_HEADER_BYTES, decode, encode, kind_of
from prisam_p2p.wire.messages import (
    DIGEST_BYTES,
    MAX_REASON,
    RUN_ID_BYTES,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Hello,
    Kind,
    MaskAnnounce,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
)

RUN = b"run-0001"
W0 = bytes(range(16))
LAYOUT = bytes(range(16, 32))
_W0 = "c410000102030405060708090a0b0c0d0e0f"
_LAYOUT = "c410101112131415161718191a1b1c1d1e1f"

GOLDEN = {
    Hello(RUN, "p07", 2, Channel.BULK, W0, LAYOUT): [
        "980101c40872756e2d30303031a37030370201" + _W0 + _LAYOUT
    ],
    Hello(RUN, "a-b_9", 0, Channel.CONTROL, LAYOUT, W0): [
        "980101c40872756e2d30303031a5612d625f390000" + _LAYOUT + _W0
    ],
    Welcome(incarnation=0): ["93010200"],
    Refuse("wrong run"): ["930103a977726f6e672072756e"],
    Refuse("ρ"): ["930103a2cf81"],
    MaskAnnounce(round_index=3, n_bits=10, bits=b"\xff\x40"): ["940104030a", "ff40"],
    WeightsRequest(round_index=300): ["930105cd012c"],
    WeightsOffer(7, W0, n_bits=8, bits=b"\x01"): ["95010607" + _W0 + "08", "01"],
    ChunkRequest(W0, offset=65536, length=255): ["950107" + _W0 + "ce00010000ccff"],
    Chunk(W0, offset=2**32, data=b"\x00weights"): [
        "940108" + _W0 + "cf0000000100000000",
        "0077656967687473",
    ],
    Unavailable(round_index=128): ["930109cc80"],
    Bye(round_index=99_999): ["93010ace0001869f"],
}


def frames_of(wire):
    return [bytes.fromhex(frame) for frame in wire]


@pytest.mark.parametrize(("message", "wire"), GOLDEN.items())
def test_golden(message, wire):
    """If this fails, two releases can no longer talk: bump WIRE_VERSION."""
    frames = frames_of(wire)
    decoded = decode(frames)
    assert type(decoded) is type(message)
    assert decoded == message  # first: objects read better than bytes
    assert encode(message) == frames


@pytest.mark.parametrize(("message", "wire"), GOLDEN.items())
def test_frames_that_are_views_decode_to_the_same(message, wire):
    assert decode([memoryview(frame) for frame in frames_of(wire)]) == message


def test_every_kind_has_a_golden_vector_and_its_number():
    numbers = {kind_of(message): bytes.fromhex(wire[0])[2] for message, wire in GOLDEN.items()}
    assert numbers == {kind: int(kind) for kind in Kind}


# What the decoder refuses. Each row breaks one rule.

HELLO = [1, 1, RUN, "p07", 2, 1, W0, LAYOUT]


def hello(**changed):
    names = ["version", "kind", "run", "peer", "incarnation", "channel", "w0", "layout"]
    return [changed.get(name, value) for name, value in zip(names, HELLO, strict=True)]


@pytest.mark.parametrize(
    ("header", "bulk", "why"),
    [
        # the frame
        ([0, 9, 0], [], "wire version 0"),
        ([2, 9, 0], [], "wire version 2; this peer speaks 1"),
        (["1", 9, 0], [], "wire version '1'"),
        ([None, 9, 0], [], "wire version None"),
        ([2, 99], [], "wire version 2"),  # before all else: the rest may have changed
        ([1, 0, 0], [], "no message has kind 0"),
        ([1, 11, 0], [], "no message has kind 11"),
        ([1, "9", 0], [], "no message has kind '9'"),
        ([1, [9], 0], [], "shape"),
        ([1], [], "not enough values"),
        ([], [], "not enough values"),
        (9, [], "int"),
        (None, [], "NoneType"),
        ({1: 9}, [], "int is not allowed for map key"),
        ({"1": 9, "9": 0}, [], "wire version"),
        (b"\x01\x09\x00", [], "canonical"),  # iterates as 1, 9, 0
        ("190", [], "wire version '1'"),
        (msgpack.Timestamp(1), [], "Timestamp"),
        # one value, one encoding
        ([1.0, 9, 0], [], "canonical"),
        ([True, 9, 0], [], "canonical"),
        ([1, 9.0, 0], [], "canonical"),
        ([1, True, RUN, "p07", 2, 1, W0, LAYOUT], [], "canonical"),
        ([1, 9, True], [], "canonical"),
        ([1, 9, 1.0], [], "shape"),
        ([1, 2, False], [], "canonical"),
        ([1, 4, 0, True], [b"\x80"], "canonical"),
        ([1, 7, W0, False, 1], [], "canonical"),
        ([1, 7, W0, 0, True], [], "canonical"),
        ([1, 8, W0, False], [b"x"], "canonical"),
        (hello(incarnation=True), [], "canonical"),
        (hello(channel=True), [], "canonical"),
        # Hello
        (hello(run=RUN[:7]), [], "run id of 7 bytes"),
        (hello(run=RUN + b"2"), [], "run id of 9 bytes"),
        (hello(run=b""), [], "run id of 0 bytes"),
        (hello(peer=""), [], "peer id ''"),
        (hello(peer="a" * 33), [], "peer id"),
        (hello(peer="P07"), [], "peer id 'P07'"),
        (hello(peer="p 7"), [], "peer id"),
        (hello(peer="p07\n"), [], "peer id"),
        (hello(peer="../p"), [], "peer id"),
        (hello(peer="\u0660"), [], "peer id"),  # a digit, but not an ASCII one
        (hello(incarnation=-1), [], "incarnation -1 is negative"),
        (hello(channel=2), [], "2 is not a valid Channel"),
        (hello(channel=-1), [], "-1 is not a valid Channel"),
        (hello(w0=W0[:15]), [], "digest of 15 bytes"),
        (hello(w0=W0 + b"\x00"), [], "digest of 17 bytes"),
        (hello(layout=LAYOUT[:15]), [], "digest of 15 bytes"),
        (hello(layout=LAYOUT + b"\x00"), [], "digest of 17 bytes"),
        # Welcome, Refuse
        ([1, 2, -1], [], "incarnation -1 is negative"),
        ([1, 3, ""], [], "reason of 0 characters"),
        ([1, 3, "x" * 201], [], "reason of 201 characters"),
        # MaskAnnounce
        ([1, 4, -1, 8], [b"\x00"], "round -1 is negative"),
        ([1, 4, 0, 0], [b""], "a mask of 0 bits"),
        ([1, 4, 0, -8], [b""], "a mask of -8 bits"),
        ([1, 4, 0, 10], [b"\xff"], "1 bytes for 10 bits"),
        ([1, 4, 0, 10], [b"\xff\x40\x00"], "3 bytes for 10 bits"),
        ([1, 4, 0, 8], [b""], "0 bytes for 8 bits"),
        ([1, 4, 0, 2**64 - 1], [b"\xff"], "1 bytes for 18446744073709551615 bits"),
        ([1, 4, 0, 10], [b"\xff\x41"], "padding"),
        ([1, 4, 0, 10], [b"\xff\x60"], "padding"),
        ([1, 4, 0, 1], [b"\x40"], "padding"),
        ([1, 4, 0, 7], [b"\x01"], "padding"),
        # WeightsRequest, WeightsOffer
        ([1, 5, -1], [], "round -1 is negative"),
        ([1, 6, -1, W0, 8], [b"\x00"], "round -1 is negative"),
        ([1, 6, 0, W0[:15], 8], [b"\x00"], "digest of 15 bytes"),
        ([1, 6, 0, W0 + b"\x00", 8], [b"\x00"], "digest of 17 bytes"),
        ([1, 6, 0, W0, 0], [b""], "a mask of 0 bits"),
        ([1, 6, 0, W0, 9], [b"\x00"], "1 bytes for 9 bits"),
        ([1, 6, 0, W0, 9], [b"\x00\x01"], "padding"),
        # ChunkRequest, Chunk
        ([1, 7, b"", 0, 1], [], "digest of 0 bytes"),
        ([1, 7, W0 + b"\x00", 0, 1], [], "digest of 17 bytes"),
        ([1, 7, W0, -1, 1], [], "offset -1 is negative"),
        ([1, 7, W0, 0, 0], [], "length 0"),
        ([1, 7, W0, 0, -1], [], "length -1"),
        ([1, 8, W0[:15], 0], [b"x"], "digest of 15 bytes"),
        ([1, 8, W0 + b"\x00", 0], [b"x"], "digest of 17 bytes"),
        ([1, 8, W0, -1], [b"x"], "offset -1 is negative"),
        ([1, 8, W0, 0], [b""], "an empty chunk"),
        # Unavailable, Bye
        ([1, 9, -1], [], "round -1 is negative"),
        ([1, 10, -1], [], "round -1 is negative"),
    ],
)
def test_refusals(header, bulk, why):
    with pytest.raises(WireError, match=why):
        decode([msgpack.packb(header), *bulk])


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "incomplete"),
        ("9301", "max_array_len"),
        ("930109cd01", "incomplete"),
        ("c1", "FormatError"),  # msgpack's never-used byte: an error without a text
        ("9301090000", "extra data"),
        ("930109cc00", "canonical"),  # 0 in two bytes
        ("930109cd00ff", "canonical"),
        ("930109ce0000ffff", "canonical"),
        ("930109cf00000000ffffffff", "canonical"),
        ("930109d000", "canonical"),  # 0 as a signed byte
        ("9301cc0900", "canonical"),
        ("93cc010900", "canonical"),
        ("dc0003010900", "canonical"),  # the array's length in two bytes
        ("dd00000003010900", "canonical"),
        ("930103d90161", "canonical"),  # the string's length in a byte of its own
        ("930103a1ff", "utf-8"),
        ("930103a3eda080", "utf-8"),  # a surrogate
        ("930103a2c080", "utf-8"),  # an overlong NUL
        ("950107c50010" + _W0[4:] + "0001", "canonical"),  # the digest's length in two bytes
    ],
)
def test_another_encoding_is_refused(header, why):
    with pytest.raises(WireError, match=why):
        decode([bytes.fromhex(header)])


WRONG_TYPES = {int: [None, "1", b"1", 1.5, [1], [1, 1]], bytes: [None, 1, "x" * 16, [W0]]}
WRONG_TYPES[str] = [None, 1, b"p07", ["p07"]]


@pytest.mark.parametrize("wire", GOLDEN.values())
def test_a_field_of_another_type_is_refused(wire):
    header, *bulk = frames_of(wire)
    values = msgpack.unpackb(header)
    for place in range(2, len(values)):
        for wrong in WRONG_TYPES[type(values[place])]:
            changed = [*values[:place], wrong, *values[place + 1 :]]
            with pytest.raises(WireError, match=r"kind \d+ and this shape"):
                decode([msgpack.packb(changed), *bulk])


@pytest.mark.parametrize("wire", GOLDEN.values())
def test_a_field_or_a_frame_too_many_or_too_few_is_refused(wire):
    header, *bulk = frames_of(wire)
    values = msgpack.unpackb(header)
    misshapen = [
        [msgpack.packb(values[:-1]), *bulk],
        [msgpack.packb([*values, 0]), *bulk],
        [msgpack.packb([*values, values[-1]]), *bulk],
        [header, *bulk, b""],
        [header, *bulk, b"x"],
        [header, *bulk[:-1]] if bulk else [header, b"x", b"x"],
    ]
    for frames in misshapen:
        with pytest.raises(WireError, match=r"kind \d+ and this shape"):
            decode(frames)


def test_no_frames_are_refused():
    with pytest.raises(WireError, match="no frames"):
        decode([])


def test_an_oversize_header_is_refused_unread():
    assert MAX_HEADER_BYTES == 1024
    with pytest.raises(WireError, match="a header of 1025 bytes"):
        decode([b"\xc1" * 1025])
    with pytest.raises(WireError, match="FormatError"):
        decode([b"\xc1" * 1024])


HOSTILE = {
    "nested without end": b"\x91" * 1024,
    "nested and closed": b"\x91" * 1000 + b"\xc0",
    "nested kind": b"\x93\x01" + b"\x91" * 1000 + b"\xc0\x00",
    "nested version": b"\x93" + b"\x91" * 1000 + b"\xc0\x01\x00",
    "nested field": b"\x93\x01\x09" + b"\x91" * 1000 + b"\xc0",
    "nested maps": b"\x81\xa0" * 500 + b"\xc0",
    "array of 2^32 - 1": b"\xdd\xff\xff\xff\xff",
    "arrays of 2^16 - 1": b"\xdc\xff\xff" * 300,
    "map of 2^32 - 1": b"\xdf\xff\xff\xff\xff",
    "bin of 2^32 - 1": b"\x93\x01\x09\xc6\xff\xff\xff\xff",
    "str of 2^32 - 1": b"\x93\x01\x03\xdb\xff\xff\xff\xff",
    "ext of 2^32 - 1": b"\x93\x01\x09\xc9\xff\xff\xff\xff\x01",
    "timestamp out of range": b"\x93\x01\x09\xc7\x0c\xff" + b"\xff" * 12,
    "lists as map keys": b"\x83\x91\x01\x01\x91\x09\x01\x91\x00\x01",
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers_cost_a_wire_error_and_little_memory(header):
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            decode([header])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


# Every value of every message.

unsigned = st.sampled_from([0, 1, 127, 128, 255, 256, 2**16, 2**32, 2**64 - 1]) | st.integers(
    0, 2**64 - 1
)
positive = unsigned.filter(bool)
digests = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
peer_ids = st.text("abcxyz0189_-", min_size=1, max_size=32)


@st.composite
def masks(draw):
    """n_bits, and their bytes."""
    n_bits = draw(st.integers(1, 40))
    number = draw(st.integers(0, 2**n_bits - 1)) << (-n_bits % 8)
    return n_bits, number.to_bytes(packed_size(n_bits), "big")


messages = st.one_of(
    st.builds(
        Hello,
        st.binary(min_size=RUN_ID_BYTES, max_size=RUN_ID_BYTES),
        peer_ids,
        unsigned,
        st.sampled_from(Channel),
        digests,
        digests,
    ),
    st.builds(Welcome, unsigned),
    st.builds(Refuse, st.text(min_size=1, max_size=MAX_REASON)),
    st.builds(lambda t, mask: MaskAnnounce(t, *mask), unsigned, masks()),
    st.builds(WeightsRequest, unsigned),
    st.builds(lambda t, digest, mask: WeightsOffer(t, digest, *mask), unsigned, digests, masks()),
    st.builds(ChunkRequest, digests, unsigned, positive),
    st.builds(Chunk, digests, unsigned, st.binary(min_size=1, max_size=99)),
    st.builds(Unavailable, unsigned),
    st.builds(Bye, unsigned),
)


@given(messages)
def test_decode_inverts_encode(message):
    frames = encode(message)
    assert decode(frames) == message
    assert len(frames[0]) <= MAX_HEADER_BYTES


def test_the_longest_of_all_messages_pass():
    for longest in [
        Refuse("\U0001f600" * MAX_REASON),  # 800 bytes
        Hello(RUN, "z" * 32, 2**64 - 1, Channel.BULK, W0, LAYOUT),
        ChunkRequest(W0, 2**64 - 1, 2**64 - 1),
    ]:
        assert decode(encode(longest)) == longest


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: MaskAnnounce(-1, 8, b"\x00"), "round -1"),
        (lambda: MaskAnnounce(0, 10, b"\xff\x41"), "padding"),
        (lambda: WeightsOffer(0, b"", 8, b"\x00"), "digest of 0 bytes"),
        (lambda: Hello(RUN, "P", 0, Channel.BULK, W0, W0), "peer id 'P'"),
        (lambda: Refuse(""), "reason of 0 characters"),
        (lambda: Chunk(W0, 0, b""), "empty"),
    ],
)
def test_an_invalid_message_cannot_be_built(build, why):
    with pytest.raises(ValueError, match=why):
        build()


# What goes in as bulk comes out as bulk.


def test_a_chunk_is_not_copied():
    view = memoryview(bytearray(1 << 20))[16:]
    message = Chunk(W0, 16, view)
    header, bulk = encode(message)
    assert bulk is view
    decoded = decode([header, bulk])
    assert decoded.data is view
    view[0] = 7
    assert decoded.data[0] == 7


def test_a_mask_does_not_hold_on_to_its_frame():
    frame = bytearray(b"\xff\x40")
    for header in ([1, 4, 0, 10], [1, 6, 0, W0, 10]):
        message = decode([msgpack.packb(header), memoryview(frame)])
        assert type(message.bits) is bytes


@given(st.integers(0, 100_000))
def test_the_header_of_a_mask_is_small(round_index):
    header, bulk = encode(MaskAnnounce(round_index, 2752, bytes(344)))
    assert len(header) <= 20
    assert len(bulk) == 344


# Noise.


def check_frames(frames):
    """Refused, or the one encoding of what they decode to."""
    try:
        message = decode(frames)
    except WireError:
        return
    assert [bytes(frame) for frame in encode(message)] == frames


@given(st.lists(st.binary(max_size=12), max_size=3))
def test_noise_raises_wire_error_and_nothing_else(frames):
    check_frames(frames)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-1, 11)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from([RUN, W0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.integers(0, 11), st.lists(values, max_size=6), st.lists(st.binary(max_size=3)))
def test_any_fields_of_any_kind(kind, fields, bulk):
    check_frames([msgpack.packb([1, kind, *fields]), *bulk])


@given(st.sampled_from(list(GOLDEN.values())), st.data())
def test_mutated_golden_frames(wire, data):
    frames = frames_of(wire)
    for _ in range(data.draw(st.integers(1, 3))):
        which = data.draw(st.integers(0, len(frames) - 1))
        frame = frames[which]
        place = data.draw(st.integers(0, len(frame)))
        new = data.draw(st.binary(max_size=2))  # none: delete; one: replace; two: insert
        frames[which] = frame[:place] + new + frame[place + 1 :]
    check_frames(frames)
