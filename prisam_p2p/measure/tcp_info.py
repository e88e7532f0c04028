"""What Linux counts for a TCP socket, parsed from sock_diag's messages. Pure: no I/O.

Sources: struct tcp_info in include/uapi/linux/tcp.h, struct inet_diag_msg and inet_diag_req_v2 in
include/uapi/linux/inet_diag.h, man 7 sock_diag. tcp_info only ever grows at its end.
"""

# Not by pyroute2 (0.9.7): it decodes every field of a message, in 130 us of CPU where these lines
# take 15, and its import takes 0.2 s of every launch.

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

STATES = {
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT1",
    5: "FIN_WAIT2",
    6: "TIME_WAIT",
    7: "CLOSE",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
}

Ends = tuple[tuple[str, int], tuple[str, int]]
"""(address, port) of a socket's own end and of the other."""

TCP_INFO_BYTES = 216
"""The struct up to tcpi_bytes_retrans: Linux 4.19 and later."""

SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3

_CARRIED = (1, 4, 5, 8, 9, 11)  # states of sockets that are or were connected
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_DIAG_MSG = 72
_WQUEUE = 60  # idiag_wqueue: write_seq - snd_una
_PORTS = struct.Struct("!HH")
_COOKIE = struct.Struct("=Q")
_INET_DIAG_INFO = 2
_NLM_F_REQUEST, _NLM_F_DUMP = 0x001, 0x300


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Figures of one socket since it was opened.

    Attributes:
        sent: stream bytes sent, retransmitted ones included; SYN and FIN are not in it.
        retransmitted: of these, bytes that were sent again.
        received: stream bytes received in order; 1 more after the other end's FIN.
        bytes_acked: sequence numbers that the other end acknowledged: stream bytes, each counted
            once; 1 more for the SYN of the end that opened the connection, 1 more for a FIN.
        segs_out, segs_in: segments, empty ones included; a server's SYN-ACK is not in `segs_out`.
        data_segs_out, data_segs_in: of these, segments with data.
    """

    state: str
    sent: int
    retransmitted: int
    received: int
    segs_out: int
    segs_in: int
    data_segs_out: int
    data_segs_in: int
    bytes_acked: int


@dataclass(frozen=True, slots=True)
class DiagSocket:
    """One socket as sock_diag reports it: its own end, the other end, and its figures.

    Attributes:
        cookie: the kernel's number of the socket, which it gives to no other. Its owner can ask
            for it, too (SO_COOKIE).
        unacked: bytes that the process wrote and the other end has not acknowledged, sent or not;
            1 more for a FIN.
    """

    ends: Ends
    info: TcpInfo
    cookie: int
    unacked: int


def parse_tcp_info(data: bytes) -> TcpInfo:
    """Return the figures in `data`, a struct tcp_info of this host's byte order.

    Raises:
        ValueError: the kernel's struct is too old to hold them.
    """
    if len(data) < TCP_INFO_BYTES:
        raise ValueError(f"tcp_info of {len(data)} bytes; {TCP_INFO_BYTES} are needed, Linux 4.19")
    bytes_acked, received, segs_out, segs_in = struct.unpack_from("=QQII", data, 120)
    data_segs_in, data_segs_out = struct.unpack_from("=II", data, 152)
    sent, retransmitted = struct.unpack_from("=QQ", data, 200)
    return TcpInfo(
        state=STATES.get(data[0], str(data[0])),
        sent=sent,
        retransmitted=retransmitted,
        received=received,
        segs_out=segs_out,
        segs_in=segs_in,
        data_segs_out=data_segs_out,
        data_segs_in=data_segs_in,
        bytes_acked=bytes_acked,
    )


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, payload) of each netlink message in `datagram`; a cut one ends it."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if not _HEADER.size <= length <= len(datagram) - at:
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += -(-length // 4) * 4


def parse_diag_msg(payload: bytes) -> DiagSocket | None:
    """Return the IPv4 socket of a struct inet_diag_msg with its attributes.

    None: another family, cut off, or without INET_DIAG_INFO (a socket in TIME_WAIT).

    Raises:
        ValueError: see parse_tcp_info.
    """
    if len(payload) < _DIAG_MSG or payload[0] != socket.AF_INET:
        return None
    info = _attribute(payload, _INET_DIAG_INFO)
    if info is None:
        return None
    local_port, remote_port = _PORTS.unpack_from(payload, 4)
    local, remote = socket.inet_ntoa(payload[8:12]), socket.inet_ntoa(payload[24:28])
    (unacked,) = struct.unpack_from("=I", payload, _WQUEUE)
    (cookie,) = _COOKIE.unpack_from(payload, 44)
    ends = (local, local_port), (remote, remote_port)
    return DiagSocket(ends, parse_tcp_info(info), cookie, unacked)


def dump_request() -> bytes:
    """Return the message that asks for the figures of every connected IPv4 TCP socket."""
    states = sum(1 << state for state in _CARRIED)
    extensions = 1 << (_INET_DIAG_INFO - 1)
    any_socket = bytes(48)
    body = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, extensions, states)
    length = _HEADER.size + len(body) + len(any_socket)
    flags = _NLM_F_REQUEST | _NLM_F_DUMP
    return _HEADER.pack(length, SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body + any_socket


def _attribute(payload: bytes, wanted: int) -> bytes | None:
    at = _DIAG_MSG
    while at + _ATTRIBUTE.size <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, at)
        if not _ATTRIBUTE.size <= length <= len(payload) - at:
            return None
        if kind == wanted:
            return payload[at + _ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
    return None
