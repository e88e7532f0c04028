"""List Linux's TCP sockets, and receive the final figures of each when it is destroyed.

This needs no privilege and covers the network namespace of the caller. Sources: man 7 sock_diag,
man 7 netlink; the multicast group SKNLGRP_INET_TCP_DESTROY of include/uapi/linux/sock_diag.h.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext

from prisam_p2p.measure.tcp_info import (
    NLMSG_DONE,
    NLMSG_ERROR,
    SOCK_DIAG_BY_FAMILY,
    DiagSocket,
    Ends,
    dump_request,
    messages,
    parse_diag_msg,
)

LARGEST_DATAGRAM = 1 << 16

_NETLINK_SOCK_DIAG = 4
_TCP_DESTROY = 1  # the group's number, and its bit
_SO_RCVBUFFORCE = 33  # beyond net.core.rmem_max, by privilege
_BUFFER_BYTES = 64 << 20  # 1 KiB a message; 100 peers may end 40,000 sockets at once
_ANSWER_S = 2.0


def listen() -> socket.socket:
    """Return a non-blocking socket that receives a message for each destroyed TCP socket.

    It has been tested by destroying one.

    Raises:
        OSError: the kernel does not report destroyed sockets.
        ValueError: its messages are too short.
    """
    netlink = _sock_diag()
    try:
        try:
            netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        netlink.bind((0, _TCP_DESTROY))
        _await(netlink, _destroy_one())
        netlink.setblocking(False)
    except BaseException:
        netlink.close()
        raise
    return netlink


def dump(inside: socket.socket | None = None) -> Iterator[DiagSocket]:
    """Yield the TCP sockets that are connected now.

    Args:
        inside: a blocking sock_diag socket of another network namespace; it stays open.

    Raises:
        OSError: the kernel does not list sockets, or stopped; those yielded before are correct.
    """
    with nullcontext(inside) if inside else _sock_diag() as netlink:
        netlink.sendto(dump_request(), (0, 0))
        while True:
            datagram = netlink.recv(LARGEST_DATAGRAM)
            yield from sockets(datagram)
            if any(kind in (NLMSG_DONE, NLMSG_ERROR) for kind, _ in messages(datagram)):
                return


def sockets(datagram: bytes) -> Iterator[DiagSocket]:
    """Yield the sockets that a datagram from the kernel describes."""
    for kind, payload in messages(datagram):
        if kind == SOCK_DIAG_BY_FAMILY and (found := parse_diag_msg(payload)):
            yield found


def _sock_diag() -> socket.socket:
    if sys.platform != "linux":
        raise OSError(f"{sys.platform} has no sock_diag")
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    netlink.settimeout(_ANSWER_S)
    return netlink


def _destroy_one() -> Ends:
    """Open a connection to this process, close it, and return its ends.

    It is closed and not reset, because the kernel forgets the ends and figures of a reset socket.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), _ANSWER_S) as client,
    ):
        return client.getsockname(), client.getpeername()


def _await(netlink: socket.socket, ends: Ends) -> None:
    """Wait until the kernel reports that the socket with these ends is destroyed."""
    deadline = time.monotonic() + _ANSWER_S
    try:
        while time.monotonic() < deadline:
            if any(each.ends == ends for each in sockets(netlink.recv(LARGEST_DATAGRAM))):
                return
    except TimeoutError:
        pass
    raise OSError("the kernel does not report destroyed sockets")
