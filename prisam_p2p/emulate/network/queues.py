"""The messages of netfilter's queues: bind to one, learn of a packet, let packets in.

Source: include/uapi/linux/netfilter/nfnetlink_queue.h.
"""

from __future__ import annotations

import os
import socket
import struct

from prisam_p2p.emulate.network.netlink import ACK, REQUEST, attribute, be32, message, netfilter
from prisam_p2p.measure.tcp_info import NLMSG_ERROR, messages

LARGEST_DATAGRAM = 4096
MOST_PACKETS = 65_536
"""Packets that a queue holds; more are dropped."""

_PACKET, _CONFIGURE, _VERDICTS = (3 << 8) | 0, (3 << 8) | 2, (3 << 8) | 3
_COPY_META = 1
_NF_ACCEPT = 1
_NUMBER = struct.Struct("!H")  # at 18, of the queue
_ID = struct.Struct("!I")  # at 24: the first attribute is always the packet's header


def bind(netlink: socket.socket, number: int) -> None:
    """Take the packets of this queue, without their bytes. `netlink` may have others already.

    Raises:
        OSError: the kernel refused, or did not answer.
    """
    command = attribute(1, struct.pack("!BxH", 1, socket.AF_INET))
    parameters = attribute(2, struct.pack("!IB", 0, _COPY_META))
    body = command + parameters + be32(3, MOST_PACKETS)
    order = message(_CONFIGURE, REQUEST | ACK, netfilter(0, number, body))
    with socket.socket(fileno=os.dup(netlink.fileno())) as asking:
        asking.send(order)
        error = _answer(asking)
    if error:
        raise OSError(-error, os.strerror(-error))


def packet_of(datagram: bytes) -> tuple[int, int] | None:
    """Return (queue, number of the packet), None where it tells of no packet."""
    if len(datagram) < 28 or int.from_bytes(datagram[4:6], "little") != _PACKET:
        return None
    return _NUMBER.unpack_from(datagram, 18)[0], _ID.unpack_from(datagram, 24)[0]


def let_in(number: int, up_to: int) -> bytes:
    """Return the message that accepts a queue's packets up to the one numbered `up_to`."""
    verdict = attribute(2, struct.pack("!II", _NF_ACCEPT, up_to))
    return message(_VERDICTS, REQUEST, netfilter(0, number, verdict))


def _answer(netlink: socket.socket) -> int:
    ...
