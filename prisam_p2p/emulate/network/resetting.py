"""Destroy TCP connections from outside: their own end is told, and sends the other an RST.

Source: SOCK_DESTROY of include/uapi/linux/sock_diag.h (CONFIG_INET_DIAG_DESTROY), struct
inet_diag_req_v2 of inet_diag.h. Needs CAP_NET_ADMIN in the namespace.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from prisam_p2p.emulate.network.netlink import ACK, REQUEST, SOCK_DIAG, Conversation
from prisam_p2p.measure.tcp_info import (
    SOCK_DIAG_BY_FAMILY,
    Ends,
    dump_request,
    messages,
    parse_diag_msg,
)

_SOCK_DESTROY = 21
_NO_COOKIE = b"\xff" * 8


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
        for ends in self._connections(remote):
            with suppress(FileNotFoundError):  # it ended by itself
                self._netlink.tell([(_SOCK_DESTROY, REQUEST | ACK, _request(ends))])
                destroyed += 1
        return destroyed

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def _connections(self, remote: str) -> list[Ends]:
        (_, question), *_ = messages(dump_request())
        answers = list(self._netlink.ask(SOCK_DIAG_BY_FAMILY, question))
        found = [each.ends for each in map(parse_diag_msg, answers) if each]
        return [ends for ends in found if ends[1][0] == remote]


def _request(ends: Ends) -> bytes:
    (local, local_port), (remote, remote_port) = ends
    head = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFF_FFFF)
    addresses = (socket.inet_aton(each).ljust(16, b"\0") for each in (local, remote))
    ports = struct.pack("!HH", local_port, remote_port)
    return head + ports + b"".join(addresses) + bytes(4) + _NO_COOKIE
