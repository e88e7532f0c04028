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
    MAX_RETRY_MS,
    RUN_ID_BYTES,
    Busy,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Coding,
    Hello,
    Kind,
    MaskAnnounce,
    MaskRequest,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
    WireDtype,
)
from prisam_p2p.wire.relay_messages import (
    MOST_LISTED,
    MOST_WANTED,
    MaskDigest,
    MaskWanted,
    RelayedMask,
)

RUN = b"run-0001"
W0 = bytes(range(16))
LAYOUT = bytes(range(16, 32))
_W0 = "c410000102030405060708090a0b0c0d0e0f"
_LAYOUT = "c410101112131415161718191a1b1c1d1e1f"

GOLDEN = {
    Hello(RUN, "p07", 2, Channel.BULK, W0, LAYOUT): [
        "980201c40872756e2d30303031a37030370201" + _W0 + _LAYOUT
    ],
    Hello(RUN, "a-b_9", 0, Channel.CONTROL, LAYOUT, W0): [
        "980201c40872756e2d30303031a5612d625f390000" + _LAYOUT + _W0
    ],
    Welcome(incarnation=0): ["93020200"],
    Refuse("wrong run"): ["930203a977726f6e672072756e"],
    Refuse("ρ"): ["930203a2cf81"],
    MaskAnnounce(round_index=3, n_bits=10, bits=b"\xff\x40"): ["950204030a00", "ff40"],
    MaskAnnounce(3, 0, b""): ["950204030000"],
    MaskAnnounce(300, 10, b"\x0b", Coding.CHANGES, base_gap=1, check=0xBEEF): [
        "970204cd012c0a0101cdbeef",
        "0b",
    ],
    MaskAnnounce(4, 10, b"", Coding.CHANGES, base_gap=4, check=0): ["970204040a010400"],
    MaskAnnounce(3, 10, b"\x08", Coding.DENSITY): ["950204030a02", "08"],
    MaskAnnounce(3, 10, b"", Coding.DENSITY): ["950204030a02"],
    MaskRequest(round_index=128): ["93020bcc80"],
    WeightsRequest(round_index=300): ["940205cd012c00"],
    WeightsRequest(300, n_bits=10, bits=b"\xff\x40"): ["940205cd012c0a", "ff40"],
    WeightsOffer(7, W0, n_bits=8, bits=b"\x01"): ["96020607" + _W0 + "0800", "01"],
    WeightsOffer(7, W0, 8, b"\x01", WireDtype.FLOAT16): ["96020607" + _W0 + "0801", "01"],
    ChunkRequest(W0, offset=65536, length=255): ["950207" + _W0 + "ce00010000ccff"],
    Chunk(W0, offset=2**32, data=b"\x00weights"): [
        "940208" + _W0 + "cf0000000100000000",
        "0077656967687473",
    ],
    Unavailable(round_index=128): ["930209cc80"],
    Bye(round_index=99_999): ["93020ace0001869f"],
    Busy(retry_ms=250): ["93020cccfa"],
    RelayedMask("p07", 3, 0, "127.1.0.8", 40_000): [
        "9a020da3703037" + "0300a93132372e312e302e38cd9c40" + "c400c400" + "00"
    ],
    RelayedMask("p07", 300, 1, "10.0.0.1", 1, W0 + W0, 4 * LAYOUT, 10, b"\xff\x40"): [
        "9a020da3703037"
        + "cd012c01a831302e302e302e3101"
        + "c420"
        + 2 * _W0[4:]
        + "c440"
        + 4 * _LAYOUT[4:]
        + "0a",
        "ff40",
    ],
    MaskDigest(4, 2, False, (("p01", 4), ("p02", 3))): ["95020e040200", "94a370303104a370303203"],
    MaskDigest(4, 3, True): ["95020e040301"],
    MaskWanted(4, (("p01", 4),)): ["93020f04", "92a370303104"],
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

HELLO = [2, 1, RUN, "p07", 2, 1, W0, LAYOUT]


def hello(**changed):
    names = ["version", "kind", "run", "peer", "incarnation", "channel", "w0", "layout"]
    return [changed.get(name, value) for name, value in zip(names, HELLO, strict=True)]


SAID = {
    "origin": "p07",
    "version": 3,
    "incarnation": 0,
    "address": "127.0.0.1",
    "port": 9,
    "key": b"",
    "signature": b"",
    "n_bits": 0,
}


def said(**changed):
    return [2, 13, *{**SAID, **changed}.values()]


def listed(*fields):
    return msgpack.packb(fields)


def many(n):
    return [field for i in range(n) for field in (f"p{i:05d}", 0)]


@pytest.mark.parametrize(
    ("header", "bulk", "why"),
    [
        # the frame
        ([0, 9, 0], [], "wire version 0"),
        ([1, 9, 0], [], "wire version 1; this peer speaks 2"),
        ([3, 9, 0], [], "wire version 3; this peer speaks 2"),
        (["2", 9, 0], [], "wire version '2'"),
        ([None, 9, 0], [], "wire version None"),
        ([1, 99], [], "wire version 1"),  # before all else: the rest may have changed
        ([2, 0, 0], [], "no message has kind 0"),
        ([2, 16, 0], [], "no message has kind 16"),
        ([2, "9", 0], [], "no message has kind '9'"),
        ([2, [9], 0], [], "shape"),
        ([2], [], "not enough values"),
        ([], [], "not enough values"),
        (9, [], "int"),
        (None, [], "NoneType"),
        ({1: 9}, [], "int is not allowed for map key"),
        ({"2": 9, "9": 0}, [], "wire version '2'"),
        (b"\x02\x09\x00", [], "canonical"),  # iterates as 2, 9, 0
        ("290", [], "wire version '2'"),
        (msgpack.Timestamp(1), [], "Timestamp"),
        # one value, one encoding
        ([2.0, 9, 0], [], "canonical"),
        ([True, 9, 0], [], "wire version True"),
        ([2, 9.0, 0], [], "canonical"),
        ([2, True, RUN, "p07", 2, 1, W0, LAYOUT], [], "canonical"),
        ([2, 9, True], [], "canonical"),
        ([2, 9, 1.0], [], "shape"),
        ([2, 2, False], [], "canonical"),
        ([2, 4, 0, True, 0], [b"\x80"], "canonical"),
        ([2, 4, 0, 8, False], [b"\x80"], "canonical"),
        ([2, 4, 1, 8, True, 1, 9], [b"\x03"], "canonical"),
        ([2, 4, 1, 8, 1, True, 9], [b"\x03"], "canonical"),
        ([2, 4, 1, 8, 1, 1, True], [b"\x03"], "canonical"),
        ([2, 5, 0, False], [], "canonical"),
        ([2, 5, 0, True], [b"\x80"], "canonical"),
        ([2, 6, 0, W0, 8, False], [b"\x80"], "canonical"),
        ([2, 7, W0, False, 1], [], "canonical"),
        ([2, 7, W0, 0, True], [], "canonical"),
        ([2, 8, W0, False], [b"x"], "canonical"),
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
        ([2, 2, -1], [], "incarnation -1 is negative"),
        ([2, 3, ""], [], "reason of 0 characters"),
        ([2, 3, "x" * 201], [], "reason of 201 characters"),
        # MaskAnnounce
        ([2, 4, -1, 8, 0], [b"\x00"], "round -1 is negative"),
        ([2, 4, 0, 0, 0], [b"\x00"], "a mask of 0 bits"),
        ([2, 4, 0, 0, 0], [b""], "canonical"),
        ([2, 4, 0, 0, 2], [], "a mask of 0 bits"),
        ([2, 4, 0, -8, 0], [], "a mask of -8 bits"),
        ([2, 4, 0, 10, 0], [b"\xff"], "1 bytes for 10 bits"),
        ([2, 4, 0, 10, 0], [b"\xff\x40\x00"], "3 bytes for 10 bits"),
        ([2, 4, 0, 8, 0], [], "0 bytes for 8 bits"),
        ([2, 4, 0, 2**64 - 1, 0], [b"\xff"], "1 bytes for 18446744073709551615 bits"),
        ([2, 4, 0, 10, 0], [b"\xff\x41"], "padding"),
        ([2, 4, 0, 10, 0], [b"\xff\x60"], "padding"),
        ([2, 4, 0, 1, 0], [b"\x40"], "padding"),
        ([2, 4, 0, 7, 0], [b"\x01"], "padding"),
        ([2, 4, 0, 8, 3], [b"\x80"], "3 is not a valid Coding"),
        ([2, 4, 0, 8, -1], [b"\x80"], "-1 is not a valid Coding"),
        ([2, 4, 5, 8, 0, 1, 9], [b"\x80"], "a base, but no changes"),
        ([2, 4, 5, 8, 0, 1, 0], [b"\x80"], "a base, but no changes"),
        ([2, 4, 5, 8, 0, 0, 9], [b"\x80"], "a base, but no changes"),
        ([2, 4, 5, 8, 0, 0, 0], [b"\x80"], "canonical"),
        ([2, 4, 5, 8, 2, 1, 9], [b"\x03"], "a base, but no changes"),
        ([2, 4, 5, 8, 2, 0, 0], [b"\x03"], "canonical"),
        ([2, 4, 5, 8, 1], [b"\x03"], "changes since 0 rounds before 5"),
        ([2, 4, 5, 8, 1, 0, 9], [b"\x03"], "changes since 0 rounds before 5"),
        ([2, 4, 5, 8, 1, -1, 9], [b"\x03"], "changes since -1 rounds before 5"),
        ([2, 4, 5, 8, 1, 6, 9], [b"\x03"], "changes since 6 rounds before 5"),
        ([2, 4, 0, 8, 1, 1, 9], [b"\x03"], "changes since 1 rounds before 0"),
        ([2, 4, 5, 8, 1, 1, -1], [b"\x03"], "check -1"),
        ([2, 4, 5, 8, 1, 1, 2**16], [b"\x03"], "check 65536"),
        ([2, 4, 5, 8, 1, 1, 9], [b"\x03\x00"], "2 bytes, packed 1"),
        ([2, 4, 5, 9, 2], [b"\x03\x00\x00"], "3 bytes, packed 2"),
        ([2, 4, 5, 0, 1, 1, 9], [], "a mask of 0 bits"),
        ([2, 4, 5, -9, 2], [], "a mask of -9 bits"),
        ([2, 4, -1, 8, 2], [], "round -1 is negative"),
        ([2, 4, 5, 8, 1, 1, 9], [b""], "canonical"),  # nothing to say has no frame
        ([2, 4, 5, 8, 2], [b""], "canonical"),
        ([2, 4, 0, 8, 0], [b"\x80", b""], "shape"),
        ([2, 4, 5, 8, 1, 1, 9], [b"\x03", b""], "shape"),
        ([2, 4, 5, 8, 2], [b"", b"\x03"], "shape"),
        # MaskRequest
        ([2, 11, -1], [], "round -1 is negative"),
        # WeightsRequest, WeightsOffer
        ([2, 5, -1, 0], [], "round -1 is negative"),
        ([2, 5, 0, 0], [b"\x80"], "a mask of 0 bits"),
        ([2, 5, 0, -1], [], "a mask of -1 bits"),
        ([2, 5, 0, 8], [], "0 bytes for 8 bits"),
        ([2, 5, 0, 9], [b"\x80"], "1 bytes for 9 bits"),
        ([2, 5, 0, 9], [b"\x80\x01"], "padding"),
        ([2, 5, 0, 0], [b""], "canonical"),
        ([2, 5, 0, 8], [b"\x80", b""], "shape"),
        ([2, 6, -1, W0, 8, 0], [b"\x00"], "round -1 is negative"),
        ([2, 6, 0, W0[:15], 8, 0], [b"\x00"], "digest of 15 bytes"),
        ([2, 6, 0, W0 + b"\x00", 8, 0], [b"\x00"], "digest of 17 bytes"),
        ([2, 6, 0, W0, 0, 0], [b""], "a mask of 0 bits"),
        ([2, 6, 0, W0, 9, 0], [b"\x00"], "1 bytes for 9 bits"),
        ([2, 6, 0, W0, 9, 0], [b"\x00\x01"], "padding"),
        ([2, 6, 0, W0, 8, 2], [b"\x00"], "2 is not a valid WireDtype"),
        ([2, 6, 0, W0, 8, -1], [b"\x00"], "-1 is not a valid WireDtype"),
        # ChunkRequest, Chunk
        ([2, 7, b"", 0, 1], [], "digest of 0 bytes"),
        ([2, 7, W0 + b"\x00", 0, 1], [], "digest of 17 bytes"),
        ([2, 7, W0, -1, 1], [], "offset -1 is negative"),
        ([2, 7, W0, 0, 0], [], "length 0"),
        ([2, 7, W0, 0, -1], [], "length -1"),
        ([2, 8, W0[:15], 0], [b"x"], "digest of 15 bytes"),
        ([2, 8, W0 + b"\x00", 0], [b"x"], "digest of 17 bytes"),
        ([2, 8, W0, -1], [b"x"], "offset -1 is negative"),
        ([2, 8, W0, 0], [b""], "an empty chunk"),
        # Unavailable, Bye, Busy
        ([2, 9, -1], [], "round -1 is negative"),
        ([2, 10, -1], [], "round -1 is negative"),
        ([2, 12, 0], [], "retry after 0 ms"),
        ([2, 12, -1], [], "retry after -1 ms"),
        ([2, 12, 60_001], [], "retry after 60001 ms"),
        # RelayedMask
        (said(origin="P07"), [], "peer id 'P07'"),
        (said(version=-1), [], "round -1 is negative"),
        (said(incarnation=-1), [], "incarnation -1 is negative"),
        (said(incarnation=True), [], "canonical"),
        (said(address=""), [], "address ''"),
        (said(address="localhost"), [], "address 'localhost'"),
        (said(address="1" * 46), [], "address"),
        (said(port=0), [], "port 0"),
        (said(port=2**16), [], "port 65536"),
        (said(key=W0 + W0), [], "a key of 32 bytes, a signature of 0"),
        (said(signature=bytes(64)), [], "a key of 0 bytes, a signature of 64"),
        (said(key=W0 + W0, signature=bytes(63)), [], "a signature of 63"),
        (said(key=W0, signature=bytes(64)), [], "a key of 16 bytes"),
        (said(), [b"\x80"], "a mask of 0 bits"),
        (said(), [b""], "canonical"),
        (said(n_bits=-1), [], "a mask of -1 bits"),
        (said(n_bits=8), [], "0 bytes for 8 bits"),
        (said(n_bits=9), [b"\x80\x01"], "padding"),
        # MaskDigest
        ([2, 14, -1, 2, 0], [], "round -1 is negative"),
        ([2, 14, 4, 1, 0], [], "step 1"),
        ([2, 14, 4, 2, 2], [], "canonical"),
        ([2, 14, 4, 2, True], [], "canonical"),
        ([2, 14, 4, 2, 0], [b""], "Unpack failed"),
        ([2, 14, 4, 2, 0], [listed()], "canonical"),
        ([2, 14, 4, 2, 0], [listed("p01")], "without pairs"),
        ([2, 14, 4, 2, 0], [msgpack.packb("p0")], "without pairs"),
        ([2, 14, 4, 2, 0], [msgpack.packb({"p01": 1})], "without pairs"),
        ([2, 14, 4, 2, 0], [listed(1, "p01")], "no origin and version"),
        ([2, 14, 4, 2, 0], [listed("p01", True)], "no origin and version"),
        ([2, 14, 4, 2, 0], [listed("p01", 1.0)], "no origin and version"),
        ([2, 14, 4, 2, 0], [listed("P01", 1)], "peer id 'P01'"),
        ([2, 14, 4, 2, 0], [listed("p01", -1)], "round -1 is negative"),
        ([2, 14, 4, 2, 0], [listed("p01", 5)], "version 5 in 4"),
        ([2, 14, 4, 2, 0], [listed("p02", 1, "p01", 1)], "not ascending"),
        ([2, 14, 4, 2, 0], [listed("p01", 1, "p01", 2)], "not ascending"),
        ([2, 14, 4, 2, 0], [b"\xdc\x00\x02\xa3p01\x01"], "canonical"),
        ([2, 14, 4, 2, 0], [listed("p01", 1) + b"\x00"], "extra data"),
        ([2, 14, 4, 2, 0], [listed(*many(6_001))], "6001 entries"),
        # MaskWanted
        ([2, 15, -1], [listed("p01", 1)], "round -1 is negative"),
        ([2, 15, 4], [listed()], "canonical"),
        ([2, 15, 4], [listed(*many(25))], "25 entries"),
        ([2, 15, 4], [listed("p01", -1)], "round -1 is negative"),
    ],
)
def test_refusals(header, bulk, why):
    with pytest.raises(WireError, match=why):
        decode([msgpack.packb(header), *bulk])


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "incomplete"),
        ("9302", "max_array_len"),
        ("930209cd01", "incomplete"),
        ("c1", "FormatError"),  # msgpack's never-used byte: an error without a text
        ("9302090000", "extra data"),
        ("930209cc00", "canonical"),  # 0 in two bytes
        ("930209cd00ff", "canonical"),
        ("930209ce0000ffff", "canonical"),
        ("930209cf00000000ffffffff", "canonical"),
        ("930209d000", "canonical"),  # 0 as a signed byte
        ("9302cc0900", "canonical"),
        ("93cc020900", "canonical"),
        ("dc0003020900", "canonical"),  # the array's length in two bytes
        ("dd00000003020900", "canonical"),
        ("930203d90161", "canonical"),  # the string's length in a byte of its own
        ("930203a1ff", "utf-8"),
        ("930203a3eda080", "utf-8"),  # a surrogate
        ("930203a2c080", "utf-8"),  # an overlong NUL
        ("950207c50010" + _W0[4:] + "0001", "canonical"),  # the digest's length in two bytes
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


MAY_BE_ALONE = {
    Kind.MASK: [0, 1],
    Kind.WEIGHTS_REQUEST: [0, 1],
    Kind.RELAYED_MASK: [0, 1],
    Kind.MASK_DIGEST: [0, 1],
}


@pytest.mark.parametrize("wire", GOLDEN.values())
def test_a_field_or_a_frame_too_many_or_too_few_is_refused(wire):
    header, *bulk = frames_of(wire)
    values = msgpack.unpackb(header)
    frames_after = MAY_BE_ALONE.get(values[1], [len(bulk)])
    misshapen = [
        [msgpack.packb(values[:-1]), *bulk],
        [msgpack.packb([*values, 0]), *bulk],
        [msgpack.packb([*values, values[-1]]), *bulk],
        *([header, *n * [b"x"]] for n in range(4) if n not in frames_after),
        [header, *(max(frames_after) + 1) * [b""]],
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
    "nested kind": b"\x93\x02" + b"\x91" * 1000 + b"\xc0\x00",
    "nested version": b"\x93" + b"\x91" * 1000 + b"\xc0\x02\x00",
    "nested field": b"\x93\x02\x09" + b"\x91" * 1000 + b"\xc0",
    "nested maps": b"\x81\xa0" * 500 + b"\xc0",
    "array of 2^32 - 1": b"\xdd\xff\xff\xff\xff",
    "arrays of 2^16 - 1": b"\xdc\xff\xff" * 300,
    "map of 2^32 - 1": b"\xdf\xff\xff\xff\xff",
    "bin of 2^32 - 1": b"\x93\x02\x09\xc6\xff\xff\xff\xff",
    "str of 2^32 - 1": b"\x93\x02\x03\xdb\xff\xff\xff\xff",
    "ext of 2^32 - 1": b"\x93\x02\x09\xc9\xff\xff\xff\xff\x01",
    "timestamp out of range": b"\x93\x02\x09\xc7\x0c\xff" + b"\xff" * 12,
    "lists as map keys": b"\x83\x91\x02\x01\x91\x09\x01\x91\x00\x01",
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


@st.composite
def numbers(draw):
    """n_bits, and a payload that is at most as long as theirs."""
    n_bits = draw(st.integers(1, 40))
    return n_bits, draw(st.binary(max_size=packed_size(n_bits)))


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
    st.builds(lambda t, mask: MaskAnnounce(t, *mask, Coding.DENSITY), unsigned, numbers()),
    st.builds(
        lambda rounds, mask, check: MaskAnnounce(
            max(rounds), *mask, Coding.CHANGES, min(rounds), check
        ),
        st.tuples(positive, positive),
        numbers(),
        st.integers(0, 2**16 - 1),
    ),
    st.builds(MaskRequest, unsigned),
    st.builds(WeightsRequest, unsigned),
    st.builds(lambda t, mask: WeightsRequest(t, *mask), unsigned, masks()),
    st.builds(
        lambda t, digest, mask, dtype: WeightsOffer(t, digest, *mask, dtype),
        unsigned,
        digests,
        masks(),
        st.sampled_from(WireDtype),
    ),
    st.builds(ChunkRequest, digests, unsigned, positive),
    st.builds(Chunk, digests, unsigned, st.binary(min_size=1, max_size=99)),
    st.builds(Unavailable, unsigned),
    st.builds(Bye, unsigned),
    st.builds(Busy, st.integers(1, MAX_RETRY_MS)),
    st.builds(
        lambda origin, t, inc, where, keys, mask: RelayedMask(origin, t, inc, *where, *keys, *mask),
        peer_ids,
        unsigned,
        unsigned,
        st.tuples(st.sampled_from(["10.0.0.1", "::1"]), st.integers(1, 2**16 - 1)),
        st.sampled_from([(b"", b""), (W0 + W0, 4 * LAYOUT)]),
        masks() | st.just((0, b"")),
    ),
    st.builds(
        lambda entries, step, last: MaskDigest(
            max([0, *entries.values()]), step, last, tuple(sorted(entries.items()))
        ),
        st.dictionaries(peer_ids, unsigned, max_size=30),
        st.integers(2, 2**32),
        st.booleans(),
    ),
    st.builds(
        lambda t, entries: MaskWanted(t, tuple(sorted(entries.items()))),
        unsigned,
        st.dictionaries(peer_ids, unsigned, min_size=1, max_size=MOST_WANTED),
    ),
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
        Busy(MAX_RETRY_MS),
        RelayedMask("z" * 32, 2**64 - 1, 2**64 - 1, "f" * 45, 2**16 - 1, W0 + W0, 4 * W0),
    ]:
        assert decode(encode(longest)) == longest


def test_lists_fit_into_the_frames_that_their_receivers_accept():
    """A DEALER of the smallest chunks accepts 256 KiB, a ROUTER 1,024 bytes."""
    longest = tuple((f"{i:032d}", 99_999) for i in range(MOST_LISTED))
    assert len(encode(MaskDigest(99_999, 9, False, longest))[1]) <= 256 * 1024
    assert len(encode(MaskWanted(99_999, longest[:MOST_WANTED]))[1]) <= 1024


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: MaskAnnounce(-1, 8, b"\x00"), "round -1"),
        (lambda: MaskAnnounce(0, 10, b"\xff\x41"), "padding"),
        (lambda: WeightsOffer(0, b"", 8, b"\x00"), "digest of 0 bytes"),
        (lambda: Hello(RUN, "P", 0, Channel.BULK, W0, W0), "peer id 'P'"),
        (lambda: Refuse(""), "reason of 0 characters"),
        (lambda: Chunk(W0, 0, b""), "empty"),
        (lambda: MaskAnnounce(3, 8, b"", Coding.CHANGES, 4, 0), "changes since 4 rounds"),
        (
            lambda: MaskAnnounce(3, 8, b"", Coding.DENSITY, 1, 0),
            "a base, but no changes",
        ),
        (lambda: WeightsRequest(0, 0, b"\x80"), "a mask of 0 bits"),
        (lambda: Busy(0), "retry after 0 ms"),
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
    for header in ([2, 4, 0, 10, 0], [2, 5, 0, 10], [2, 6, 0, W0, 10, 0]):
        message = decode([msgpack.packb(header), memoryview(frame)])
        assert type(message.bits) is bytes


@given(st.integers(1, 100_000), st.integers(1, 65_535), st.data())
def test_the_header_of_a_mask_is_small(round_index, n_bits, data):
    gap, check = data.draw(st.integers(1, round_index)), data.draw(st.integers(0, 2**16 - 1))
    whole = MaskAnnounce(round_index, n_bits, bytes(packed_size(n_bits)))
    sparse = MaskAnnounce(round_index, n_bits, b"", Coding.DENSITY)
    changes = MaskAnnounce(round_index, n_bits, b"", Coding.CHANGES, gap, check)
    assert max(len(encode(message)[0]) for message in (whole, sparse, changes)) <= 20


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
    | st.integers(-1, 13)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from([RUN, W0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.integers(0, 13), st.lists(values, max_size=6), st.lists(st.binary(max_size=3)))
def test_any_fields_of_any_kind(kind, fields, bulk):
    check_frames([msgpack.packb([2, kind, *fields]), *bulk])


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
