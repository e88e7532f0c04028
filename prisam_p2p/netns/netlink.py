"""Encode and exchange netlink messages that pyroute2 does not support or sends one at a time.

Sources: man 7 netlink, include/uapi/linux/netlink.h and netfilter/nfnetlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence

from prisam_p2p.measure.tcp_info import NLMSG_DONE, NLMSG_ERROR, messages

NETFILTER, SOCK_DIAG = 12, 4
REQUEST, ACK, CREATE, APPEND, DUMP = 0x001, 0x004, 0x400, 0x800, 0x300

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NESTED, _KIND_MASK = 0x8000, 0x3FFF
_LARGEST = 1 << 16
_ANSWER_S = 5.0


def attribute(kind: int, value: bytes) -> bytes:
    """Return an encoded netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that contains `attributes`."""
    return attribute(kind | _NESTED, b"".join(attributes))


def be32(kind: int, number: int) -> bytes:
    """Return an attribute of a 32-bit number in network byte order, as netfilter requires."""
    return attribute(kind, struct.pack("!I", number & 0xFFFF_FFFF))


def text(kind: int, string: str) -> bytes:
    """Return an attribute of a zero-terminated string."""
    return attribute(kind, string.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """Parse the attributes in `data`; return kind -> value, the last one of a kind.

    Parsing ends at an attribute whose length is invalid.
    """
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if not 4 <= length <= len(data) - at:
            break
        found[kind & _KIND_MASK] = data[at + 4 : at + length]
        at += -(-length // 4) * 4
    return found


def netfilter(family: int, number: int, body: bytes = b"") -> bytes:
    """Return a struct nfgenmsg with the res_id `number`, followed by `body`."""
    return struct.pack("!BBH", family, 0, number) + body


def message(kind: int, flags: int, payload: bytes, sequence: int = 0) -> bytes:
    """Return a netlink message."""
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, sequence, 0) + payload


class NetlinkSocket:
    """A netlink socket; it acts on the network namespace in which it was made."""

    def __init__(self, protocol: int) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.socket.settimeout(_ANSWER_S)
        self._sequence = 0

    def send(self, orders: Sequence[tuple[int, int, bytes]]) -> None:
        """Send messages (type, flags, payload) in one datagram; await those that have ACK set.

        Raises:
            OSError: the kernel refused one, or did not answer.
        """
        first = self._sequence + 1
        self._sequence += len(orders)
        numbered = [message(*order, sequence=first + i) for i, order in enumerate(orders)]
        self.socket.sendto(b"".join(numbered), (0, 0))
        waiting = {first + i for i, order in enumerate(orders) if order[1] & ACK}
        while waiting:
            for sequence, error in self._errors():
                if error and first <= sequence <= self._sequence:
                    raise OSError(-error, os.strerror(-error))
                waiting.discard(sequence)

    def dump(self, kind: int, payload: bytes) -> Iterator[bytes]:
        """Send a dump request, and yield the payloads of its answers.

        Raises:
            OSError: the kernel refused, or did not answer.
        """
        self._sequence += 1
        self.socket.sendto(message(kind, REQUEST | DUMP, payload, self._sequence), (0, 0))
        while True:
            for answer, content in messages(self.socket.recv(_LARGEST)):
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    (error,) = struct.unpack_from("=i", content)
                    raise OSError(-error, os.strerror(-error))
                yield content

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _errors(self) -> Iterator[tuple[int, int]]:
        """Receive a datagram; yield (sequence number, minus errno or 0) of its answers."""
        datagram = self.socket.recv(_LARGEST)
        for kind, content in messages(datagram):
            if kind == NLMSG_ERROR:
                (error,) = struct.unpack_from("=i", content)
                _, _, _, sequence, _ = _HEADER.unpack_from(content, 4)
                yield sequence, error
