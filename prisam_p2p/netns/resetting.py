"""Destroy TCP connections from outside: their own end is told, and sends the other an RST.

Source: SOCK_DESTROY of include/uapi/linux/sock_diag.h (CONFIG_INET_DIAG_DESTROY), struct
inet_diag_req_v2 of inet_diag.h. Needs CAP_NET_ADMIN in the namespace.
"""

from __future__ import annotations

import errno
import socket
import struct

from prisam_p2p.measure.tcp_info import (
    SOCK_DIAG_BY_FAMILY,
    Ends,
    dump_request,
    messages,
    parse_diag_msg,
)
from prisam_p2p.netns.netlink import ACK, REQUEST, SOCK_DIAG, Conversation

_SOCK_DESTROY = 21
_ENDED = frozenset({errno.ENOENT, errno.ESTALE})
"""A connection has ended by itself, or another socket is there."""
_COOKIE = slice(44, 52)
"""In struct inet_diag_msg: without it, the listener is found where its connection was."""


class Resetter:
    """The TCP connections of the namespace in which this is made."""

    def __init__(self) -> None:
        self._netlink = Conversation(SOCK_DIAG)

    def destroy(self, remote: str) -> int:
        """Destroy every connection to the address `remote`; return how many there were.

        This end's next call on one fails with ECONNABORTED, the other end's with ECONNRESET.

        Raises:
            OSError: the kernel refused.
        """
        destroyed = 0
        for ends, cookie in self._connections(remote):
            try:
                self._netlink.tell([(_SOCK_DESTROY, REQUEST | ACK, _request(ends, cookie))])
                destroyed += 1
            except OSError as error:
                if error.errno not in _ENDED:
                    raise
        return destroyed

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def _connections(self, remote: str) -> list[tuple[Ends, bytes]]:
        (_, question), *_ = messages(dump_request())
        answers = list(self._netlink.ask(SOCK_DIAG_BY_FAMILY, question))
        found = [(parse_diag_msg(answer), bytes(answer[_COOKIE])) for answer in answers]
        return [(s.ends, cookie) for s, cookie in found if s and s.ends[1][0] == remote]


def _request(ends: Ends, cookie: bytes) -> bytes:
    (local, local_port), (remote, remote_port) = ends
    head = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFF_FFFF)
    addresses = (socket.inet_aton(each).ljust(16, b"\0") for each in (local, remote))
    ports = struct.pack("!HH", local_port, remote_port)
    return head + ports + b"".join(addresses) + bytes(4) + cookie
