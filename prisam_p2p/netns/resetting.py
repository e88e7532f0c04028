"""Reset TCP connections of other processes: the kernel aborts one end, and the other gets an RST.

Source: SOCK_DESTROY of include/uapi/linux/sock_diag.h (CONFIG_INET_DIAG_DESTROY), struct
inet_diag_req_v2 of inet_diag.h. Needs CAP_NET_ADMIN in the namespace.
"""

from __future__ import annotations

import errno
import socket
import struct

from prisam_p2p.measure.tcp_info import (
    SOCK_DIAG_BY_FAMILY,
    DiagSocket,
    dump_request,
    messages,
    parse_diag_msg,
)
from prisam_p2p.netns.netlink import ACK, REQUEST, SOCK_DIAG, NetlinkSocket

_SOCK_DESTROY = 21
_ENDED = frozenset({errno.ENOENT, errno.ESTALE})
"""The connection has ended meanwhile, or another socket has its addresses."""


class Resetter:
    """Resets TCP connections of the network namespace in which this is made."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(SOCK_DIAG)

    def destroy(self, remote: str) -> int:
        """Destroy every connection to the address `remote`; return their number.

        The next call on this end fails with ECONNABORTED, on the other end with ECONNRESET.

        Raises:
            OSError: the kernel refused.
        """
        destroyed = 0
        for each in self._connections(remote):
            try:
                self._netlink.send([(_SOCK_DESTROY, REQUEST | ACK, _request(each))])
                destroyed += 1
            except OSError as error:
                if error.errno not in _ENDED:
                    raise
        return destroyed

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def _connections(self, remote: str) -> list[DiagSocket]:
        (_, question), *_ = messages(dump_request())
        answers = list(self._netlink.dump(SOCK_DIAG_BY_FAMILY, question))
        found = [parse_diag_msg(answer) for answer in answers]
        return [each for each in found if each and each.ends[1][0] == remote]


def _request(wanted: DiagSocket) -> bytes:
    """Without the cookie, the kernel would find the listener in place of an ended connection."""
    (local, local_port), (remote, remote_port) = wanted.ends
    head = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFF_FFFF)
    addresses = (socket.inet_aton(each).ljust(16, b"\0") for each in (local, remote))
    ports = struct.pack("!HH", local_port, remote_port)
    cookie = struct.pack("=Q", wanted.cookie)
    return head + ports + b"".join(addresses) + bytes(4) + cookie
