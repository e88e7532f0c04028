"""The ROUTER of a peer: which connections are open to it, and by which one a message came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import zmq

from prisam_p2p.errors import WireError
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.context import MESSAGES_PER_TURN, TransportContext
from prisam_p2p.transport.io_thread import IoThread
from prisam_p2p.transport.messenger import Outlet, descriptor_of, receive
from prisam_p2p.transport.sockets import bind_router, news, watch_router
from prisam_p2p.transport.zap import SILENT, ZapGate, key_of, why
from prisam_p2p.wire.codec import decode
from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.messages import Hello
from prisam_p2p.wire.relay_messages import RelayedMask

_NOBODY = "?"
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
"""The one event whose value is no descriptor."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from.

    Attributes:
        sender: the ROUTER's id of the connection.
        descriptor: of its socket; a later connection may get the same.
    """

    sender: bytes
    descriptor: int
    connection: TcpConnection


class Router:
    """The ROUTER socket, for the transport's thread.

    Args:
        on_frames: takes the frames of each message, and where they came from.
        on_closed: told the descriptor of each connection that was closed.

    Attributes:
        hosts: address -> the neighbor that alone has it, once that is known; {} where peers share
            addresses.
    """

    def __init__(
        self,
        context: TransportContext,
        on_frames: Callable[[Origin, Sequence[zmq.Frame]], None],
        on_closed: Callable[[int], None],
    ) -> None:
        me, self._messenger = context.me, context.messenger
        self._strangers, self._holds = frozenset(me.strangers), me.holds
        self._connections = context.connections
        self._on_frames, self._on_closed = on_frames, on_closed
        self._gate = self._gate_of(context, me.keys) if me.keys else None
        self._socket, self.port = bind_router(
            context.zmq, me.address, me.port, context.limits, me.keys, me.shared_address
        )
        self._monitor = watch_router(self._socket, failures=me.keys is not None)
        self._ending = SILENT
        self._happened: deque[tuple[int, int]] = deque()
        self.hosts: Mapping[str, str] = {}

    def begin(self, io: IoThread) -> None:
        """Listen."""
        if self._gate:
            io.listen(self._gate.socket, self._gate.answer)
        io.listen(self._monitor, self._on_monitor)
        io.listen(self._socket, self._on_router)

    def admit(self, neighbor: str, public_key: str) -> None:
        """Let a neighbor in by this key alone; without keys on this side, nothing changes.

        Connections that it opened by another key are ended.
        """
        if self._gate and self._gate.admit(neighbor, public_key):
            self._connections.hang_up_all_of(neighbor)

    def fence(self, neighbor: str) -> int:
        """Let a neighbor in by no key until `admit` names one; return its connections, ended."""
        if not self._gate:
            return 0
        self._gate.fence(neighbor)
        return self._connections.hang_up_all_of(neighbor)

    def outlet(self, to: bytes, name: str, connection: TcpConnection) -> Outlet:
        """Return where messages to a connection go out, given the ROUTER's id of it."""
        return Outlet(name, self._socket, connection, to)

    def name_of(self, connection: TcpConnection) -> str:
        """Return whose an unwelcome connection is, as far as its key or its address tell."""
        return connection.owner or self.hosts.get(connection.host, connection.host)

    def close(self, linger_ms: int) -> None:
        """Close the sockets, once what was handed over is sent, or `linger_ms` have passed."""
        self._socket.disable_monitor()  # before term(), or it hangs
        self._monitor.close(linger=0)
        self._socket.close(linger=linger_ms)
        if self._gate:
            self._gate.close()

    # -- connections ---------------------------------------------------------------------

    def _gate_of(self, context: TransportContext, keys: Keys) -> ZapGate:
        speak = bool(self._strangers)
        return ZapGate(context.zmq, keys, self._messenger, self._n_numbered, speak)

    def _n_numbered(self) -> int:
        self._on_monitor(0)
        return self._connections.n_numbered

    def _on_monitor(self, _flags: int) -> None:
        self._happened.extend(news(self._monitor))
        while self._happened:
            what, value = self._happened.popleft()
            match what:
                case zmq.EVENT_ACCEPTED:
                    self._forget(value)
                    self._connections.accepted(value, partial(self._has_ended, value))
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:  # of the connection that closes next
                    self._ending = why(value)
                case _:
                    self._forget(value, self._ending)
                    self._ending = SILENT

    def _has_ended(self, descriptor: int) -> bool:
        """Tell whether more happened at the descriptor of a connection than its opening."""
        self._happened.extend(news(self._monitor))
        return any(v == descriptor and e != _FAILED for e, v in self._happened)

    def _forget(self, descriptor: int, ending: tuple[str, str] = SILENT) -> None:
        connection = self._connections.closed(descriptor)
        if connection and not connection.spoke:
            counted = ending == SILENT and self._gate and self._gate.was_denied(connection.host)
            if not counted:
                self._messenger.reject(self.name_of(connection), *ending)
        self._on_closed(descriptor)

    # -- messages ------------------------------------------------------------------------

    def _on_router(self, _flags: int) -> None:
        for _ in range(MESSAGES_PER_TURN):
            try:
                sender, *frames = receive(self._socket)
            except zmq.Again:
                return
            self._on_monitor(0)  # a closed connection's descriptor may be this one's by now
            descriptor = descriptor_of(frames[0])
            if descriptor is None:
                self._messenger.reject(_NOBODY, "malformed", "an older ZMTP")
                continue
            connection = self._came_by(descriptor, frames)
            if self._gate and not connection.owner:
                if self._strangers and self._introduce(connection, frames):
                    continue
                self._find_owner(self._gate, connection, descriptor, frames[0])
            self._on_frames(Origin(sender.bytes, descriptor, connection), frames)

    def _introduce(self, connection: TcpConnection, frames: Sequence[zmq.Frame]) -> bool:
        """Take in a stranger's first message, which shows whose the connection's key is.

        Return False where that is not what the message does.
        """
        try:
            said = decode([frame.buffer for frame in frames])
        except WireError:
            return False
        if not (isinstance(said, RelayedMask) and said.origin in self._strangers):
            return False
        if said.public_key != key_of(frames[0]) or not self._holds(said):
            return False
        connection.owner = said.origin
        self._messenger.read(connection, said.origin, frames)
        return True

    def _find_owner(
        self, gate: ZapGate, connection: TcpConnection, descriptor: int, frame: zmq.Frame
    ) -> None:
        """Note by whose key a connection was opened; end it if the key was replaced meanwhile."""
        connection.owner = gate.owner_of(frame)
        if not (connection.owner or connection.gone or connection.hung_up):
            self._connections.hang_up(descriptor)
            self._messenger.reject(*gate.why_replaced(self.name_of(connection), frame))

    def _came_by(self, descriptor: int, frames: Sequence[zmq.Frame]) -> TcpConnection:
        """Return the connection that a message came by.

        A first Hello may be read after its connection is gone, when another neighbor's connection
        has its descriptor. With keys, what came by that was let in before this one was there;
        without, the address tells whose it is, where nobody else has it.
        """
        now, before = self._connections.at(descriptor), self._connections.unheard(descriptor)
        if before and self._gate:
            return now if now.number < self._gate.numbered_before(frames[0]) else before
        if before is None or now.spoke:
            return now
        try:
            message = decode([frame.buffer for frame in frames])
        except WireError:
            return now
        name = message.peer_id if isinstance(message, Hello) else ""
        return before if name == self.hosts.get(before.host) != self.hosts.get(now.host) else now
