"""Messages of netfilter queues (NFQUEUE): bind to a queue, learn of packets, accept them.

Source: include/uapi/linux/netfilter/nfnetlink_queue.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from prisam_p2p.netns.netlink import (
    ACK,
    NETFILTER,
    REQUEST,
    NetlinkSocket,
    attribute,
    be32,
    message,
    netfilter,
)

LARGEST_DATAGRAM = 4096
MOST_PACKETS = 65_536
"""Capacity of a queue in packets; the kernel drops those beyond."""

_PACKET, _CONFIGURE, _VERDICTS = (3 << 8) | 0, (3 << 8) | 2, (3 << 8) | 3
_COPY_META = 1
_NF_ACCEPT = 1
_KIND = struct.Struct("=H")  # at 4
_NUMBER = struct.Struct("!H")  # at 18, of the queue
_ID = struct.Struct("!I")  # at 24: the first attribute is always the packet's header


def open_queues(numbers: Sequence[int]) -> socket.socket:
    """Return a non-blocking socket that reports the packets of these queues, without their bytes.

    The queues are those of the caller's network namespace.

    Raises:
        OSError: the kernel refused.
    """
    netlink = NetlinkSocket(NETFILTER)
    netlink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    command = attribute(1, struct.pack("!BxH", 1, socket.AF_INET))
    parameters = attribute(2, struct.pack("!IB", 0, _COPY_META))
    body = command + parameters + be32(3, MOST_PACKETS)
    netlink.send([(_CONFIGURE, REQUEST | ACK, netfilter(0, number, body)) for number in numbers])
    netlink.socket.connect((0, 0))
    netlink.socket.setblocking(False)
    return netlink.socket


def packet_of(datagram: bytes) -> tuple[int, int] | None:
    """Return (queue number, packet number); None if the datagram does not report a packet."""
    if len(datagram) < 28 or _KIND.unpack_from(datagram, 4)[0] != _PACKET:
        return None
    return _NUMBER.unpack_from(datagram, 18)[0], _ID.unpack_from(datagram, 24)[0]


def accept_up_to(number: int, up_to: int) -> bytes:
    """Return the message that accepts the packets of queue `number` up to packet `up_to`."""
    verdict = attribute(2, struct.pack("!II", _NF_ACCEPT, up_to))
    return message(_VERDICTS, REQUEST, netfilter(0, number, verdict))
