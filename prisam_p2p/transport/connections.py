"""The TCP connections of one peer: their numbers, endpoints and neighbors, by file descriptor.

Both ends and the kernel see the same pair of endpoints. By this pair, bytes that we count are
compared with bytes that the kernel counts (docs/ledger.md). A later connection may have the same
pair, so each end is also known by the cookie that the kernel gave to its socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from prisam_p2p.measure import records
from prisam_p2p.wire.messages import Channel

_UNKNOWN = "?"
_SO_COOKIE = 57
"""Of asm-generic/socket.h, Linux 4.12 and later: Python has no name for it."""


def _no() -> bool:
    return False


@dataclass
class TcpConnection:
    """One TCP connection, open or closed.

    Attributes:
        side: ours, server or client.
        client, server: its endpoints, "address:port" each, or "?".
        cookie: the kernel's number of our socket; 0 = unknown.
        neighbor: "" = not known yet, or a stranger's.
        owner: the neighbor whose key opened it; "" = none, or no message came by it yet.
        gone: whether it is closed.
        spoke: whether a message came by it.
        hung_up: whether we ended it; messages that still come by it are ignored.
        written: whether its record was written.
    """

    number: int
    side: str
    client: str
    server: str
    neighbor: str = ""
    channel: Channel = Channel.CONTROL
    owner: str = ""
    gone: bool = False
    spoke: bool = False
    hung_up: bool = False
    written: bool = False
    cookie: int = 0

    @property
    def host(self) -> str:
        """The address that an accepted connection came from, which is a stranger's name."""
        return self.client.rpartition(":")[0] or self.client


class Connections:
    """Numbers the connections of a peer, and writes a record of each once its neighbor is known.

    Args:
        note: takes the record of a connection; called in the transport's thread.
        heartbeat_ms: of control connections.
        security: of all of them, plain or curve.

    Attributes:
        router: "address:port" of this peer's ROUTER, to be set once it is bound.
        n_numbered: how many connections there were so far.
    """

    def __init__(
        self,
        note: Callable[[records.Connection], None],
        heartbeat_ms: int,
        security: str = "plain",
    ) -> None:
        self.router = _UNKNOWN
        self._note, self._heartbeat_ms, self._security = note, heartbeat_ms, security
        self._accepted: dict[int, TcpConnection] = {}
        self._unheard: dict[int, TcpConnection] = {}
        self.n_numbered = 0

    def accepted(self, descriptor: int, has_ended: Callable[[], bool] = _no) -> TcpConnection:
        """Number a connection that was opened to our ROUTER.

        Args:
            has_ended: asked after its endpoints were looked up. If it has ended, they may be those
                of a later connection with the same descriptor.
        """
        here, there, cookie = _socket_at(descriptor)
        if here != self.router or has_ended():
            here, there, cookie = _NOT_THERE
        connection = TcpConnection(self._number(), "server", there, here, cookie=cookie)
        self._unheard.pop(descriptor, None)
        before = self._accepted.get(descriptor)
        if before and not before.spoke:
            self._unheard[descriptor] = before
        self._accepted[descriptor] = connection
        return connection

    def connected(
        self,
        descriptor: int,
        to: tuple[str, int],
        neighbor: str,
        channel: Channel,
        has_ended: Callable[[], bool] = _no,
    ) -> TcpConnection:
        """Number a connection that our DEALER opened; the caller knows when it is gone.

        Args:
            has_ended: see `accepted`.
        """
        here, there, cookie = _socket_at(descriptor)
        if there != _text(to) or here == self.router or has_ended():
            here, there, cookie = _NOT_THERE
        connection = TcpConnection(
            self._number(), "client", here, there, neighbor, channel, cookie=cookie
        )
        self._write(connection)
        return connection

    def at(self, descriptor: int) -> TcpConnection:
        """Return the latest accepted connection of a descriptor, open or `gone`.

        A message may be read after its connection is gone.
        """
        return self._accepted.get(descriptor) or self.accepted(descriptor)

    def unheard(self, descriptor: int) -> TcpConnection | None:
        """Return the previous connection of a descriptor, if no message of it was read yet."""
        before = self._unheard.get(descriptor)
        return before if before and not before.spoke else None

    def belongs(self, connection: TcpConnection, neighbor: str, channel: Channel) -> None:
        """Note which neighbor opened a connection to our ROUTER, and write its record."""
        if connection.neighbor != neighbor:
            connection.neighbor, connection.channel = neighbor, channel
            self._write(connection)

    def refused(self, connection: TcpConnection) -> None:
        """Write the record of a stranger's connection now, in case this process is killed."""
        if not connection.written:
            self._write(connection)

    def write_strangers(self) -> None:
        """Write the records of open connections that never became a neighbor's."""
        for connection in self._accepted.values():
            if not connection.gone and not connection.written:
                self._write(connection)

    def closed(self, descriptor: int) -> TcpConnection | None:
        """Note that an accepted connection is gone: its descriptor may be reused.

        Return it, or None where none was open.
        """
        connection = self._accepted.get(descriptor)
        if connection and not connection.gone:
            connection.gone = True
            if not connection.written:
                self._write(connection)
            return connection
        return None

    def hang_up(self, descriptor: int) -> None:
        """Shut an accepted connection down; `closed` follows once ZeroMQ noticed."""
        self.at(descriptor).hung_up = True
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
            if _text(same.getpeername()) == self.at(descriptor).client:
                same.shutdown(socket.SHUT_RDWR)

    def hang_up_all_of(self, owner: str) -> int:
        """Shut all accepted connections down that this neighbor's key opened; return how many."""
        of_it = [
            descriptor
            for descriptor, connection in self._accepted.items()
            if connection.owner == owner and not (connection.gone or connection.hung_up)
        ]
        for descriptor in of_it:
            self.hang_up(descriptor)
        return len(of_it)

    def _number(self) -> int:
        self.n_numbered += 1
        return self.n_numbered - 1

    def _write(self, c: TcpConnection) -> None:
        c.written = True
        heartbeat_ms = self._heartbeat_ms if c.channel is Channel.CONTROL else 0
        channel = c.channel.name.lower()
        self._note(
            records.Connection(
                c.number,
                c.side,
                c.client,
                c.server,
                c.neighbor,
                channel,
                heartbeat_ms,
                self._security,
                c.cookie,
            )
        )


_NOT_THERE = (_UNKNOWN, _UNKNOWN, 0)


def _socket_at(descriptor: int) -> tuple[str, str, int]:
    """Return (here, there, cookie), the first two as "address:port".

    Unknown where the connection is closed already.
    """
    try:
        # A duplicate, closed at once: a longer-lived one would hold the connection's FIN back.
        with socket.socket(fileno=os.dup(descriptor)) as same:
            return _text(same.getsockname()), _text(same.getpeername()), _cookie(same)
    except OSError:
        return _NOT_THERE


def _cookie(tcp: socket.socket) -> int:
    """Return the kernel's number of a socket; 0 where it gives none."""
    if sys.platform != "linux":
        return 0
    try:
        return int.from_bytes(tcp.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)
    except OSError:
        return 0


def _text(endpoint: tuple[str, int]) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"
