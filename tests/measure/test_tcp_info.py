import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.measure.tcp_info import (
    NLMSG_DONE,
    SOCK_DIAG_BY_FAMILY,
    TCP_INFO_BYTES,
    DiagSocket,
    TcpInfo,
    dump_request,
    messages,
    parse_diag_msg,
    parse_tcp_info,
)

# Recorded on Linux 6.18: the destroyed client socket of a connection on which it sent 1000 bytes
# and closed; the server then closed, and had sent nothing. Zeros at the ends are left out.
RECORDED_INFO = bytes.fromhex(
    "070000000007aa00e01c030000000000008a0000180200000000000000000000000000000000000000000000"
    "00000000000000000400000000000000ffff0000d7ff00001a0000000b000000ffffff7f0c000000cbff0000"
    "0300000000000000d7ff0000000000005010d6c707000000ffffffffffffffffea0300000000000001000000"
    "0000000005000000030000000000000010000000000000000100000000689b83000000000000000000000000"
    "000000000000000000000000000000000300000000000000e803000000000000"
).ljust(280, b"\0")
RECORDED_MSG = (
    bytes.fromhex("02070000b1db96bd7f0900020000000000000000000000007f090001").ljust(44, b"\0")
    + struct.pack("=Q", 0x1_0000_00C7).ljust(28, b"\0")
    + bytes.fromhex("05000a0006000000")  # INET_DIAG_SHUTDOWN
    + struct.pack("=HH", 4 + len(RECORDED_INFO), 2)
    + RECORDED_INFO
)
INFO = TcpInfo(
    state="CLOSE",
    sent=1000,
    retransmitted=0,
    received=1,  # the other end's FIN
    segs_out=5,
    segs_in=3,
    data_segs_out=1,
    data_segs_in=0,
    bytes_acked=1002,  # SYN, 1000 bytes, FIN
)
ENDS = (("127.9.0.2", 45531), ("127.9.0.1", 38589))


def message(kind, payload):
    length = 16 + len(payload)
    return struct.pack("=IHHII", length, kind, 0, 0, 0) + payload + bytes(-length % 4)


def test_a_recorded_struct():
    assert parse_tcp_info(RECORDED_INFO) == INFO


@pytest.mark.parametrize(
    ("field", "offset", "form"),
    [
        ("bytes_acked", 120, "=Q"),
        ("received", 128, "=Q"),
        ("segs_out", 136, "=I"),
        ("segs_in", 140, "=I"),
        ("data_segs_in", 152, "=I"),
        ("data_segs_out", 156, "=I"),
        ("sent", 200, "=Q"),
        ("retransmitted", 208, "=Q"),
    ],
)
def test_every_figure_has_its_place_and_width(field, offset, form):
    data = bytearray(TCP_INFO_BYTES)
    largest = (1 << 8 * struct.calcsize(form)) - 2
    struct.pack_into(form, data, offset, largest)
    figures = parse_tcp_info(bytes(data))
    assert getattr(figures, field) == largest
    assert sum(getattr(figures, name) for name in TcpInfo.__slots__ if name != "state") == largest


def test_a_longer_struct_of_a_later_kernel_is_read_the_same():
    assert parse_tcp_info(RECORDED_INFO + b"\xff" * 64) == INFO
    assert parse_tcp_info(RECORDED_INFO[:TCP_INFO_BYTES]) == INFO


@pytest.mark.parametrize("length", [0, 104, 192, TCP_INFO_BYTES - 1])
def test_a_struct_that_ends_before_the_figures_is_refused(length):
    with pytest.raises(ValueError, match=f"tcp_info of {length} bytes; 216 are needed"):
        parse_tcp_info(RECORDED_INFO[:length])


def test_a_state_without_a_name_is_its_number():
    assert parse_tcp_info(b"\x0d" + RECORDED_INFO[1:]).state == "13"


def test_a_recorded_message():
    assert parse_diag_msg(RECORDED_MSG) == DiagSocket(ENDS, INFO, 0x1_0000_00C7, unacked=0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        RECORDED_MSG[:71],
        bytes([socket.AF_INET6]) + RECORDED_MSG[1:],
        RECORDED_MSG[:72],  # no attribute at all
        RECORDED_MSG[:80],  # only another one
        RECORDED_MSG[:-1],  # cut off
        RECORDED_MSG[:72] + b"\x00\x00\x02\x00" + RECORDED_MSG[76:],  # an attribute without length
    ],
    ids=["empty", "short", "ipv6", "bare", "other", "cut", "zero"],
)
def test_a_message_without_the_figures_of_an_ipv4_socket_is_none(payload):
    assert parse_diag_msg(payload) is None


def test_a_datagram_holds_one_message_after_the_other():
    datagram = message(SOCK_DIAG_BY_FAMILY, RECORDED_MSG) + message(9, b"odd")
    assert list(messages(datagram + message(NLMSG_DONE, bytes(4)))) == [
        (SOCK_DIAG_BY_FAMILY, RECORDED_MSG),
        (9, b"odd"),
        (NLMSG_DONE, bytes(4)),
    ]


@given(st.binary(max_size=64), st.integers(0, 63))
def test_whatever_comes_the_messages_end(noise, at):
    datagram = bytearray(message(9, RECORDED_MSG[:40]))
    datagram[at % len(datagram) : at] = noise
    for _, payload in messages(bytes(datagram)):
        parse_diag_msg(payload)


def test_the_request_asks_for_connected_tcp_sockets_with_their_figures():
    request = dump_request()
    ((kind, payload),) = messages(request)
    family, protocol, extensions, states = struct.unpack_from("=BBBxI", payload)
    assert (kind, len(request), len(payload)) == (SOCK_DIAG_BY_FAMILY, 72, 56)
    assert (family, protocol, extensions) == (socket.AF_INET, socket.IPPROTO_TCP, 1 << 1)
    assert states == sum(1 << s for s in (1, 4, 5, 8, 9, 11))  # no LISTEN, SYN_*, TIME_WAIT, CLOSE
    assert payload[8:] == bytes(48)
