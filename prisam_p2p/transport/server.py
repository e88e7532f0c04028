"""A peer as the one that is connected to: its ROUTER admits, announces and serves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import zmq

from prisam_p2p.control.spec import Stop
from prisam_p2p.errors import WireError
from prisam_p2p.transport import events
from prisam_p2p.transport.connections import Connections, TcpConnection
from prisam_p2p.transport.io_thread import IoThread
from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import WINDOW_CHUNKS
from prisam_p2p.transport.sessions import Identity, Session, Sessions, objection
from prisam_p2p.transport.snapshots import SnapshotStore
from prisam_p2p.transport.sockets import (
    Context,
    SocketLimits,
    bind_router,
    descriptor_of,
    news,
    owner_of,
    receive,
    watch_router,
)
from prisam_p2p.transport.upload_slots import UploadSlots
from prisam_p2p.transport.upload_stops import UploadStops
from prisam_p2p.transport.zap import SILENT, ZapGate, why
from prisam_p2p.wire.codec import Frame, decode
from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.mask_stream import MaskSender
from prisam_p2p.wire.messages import (
    MAX_REASON,
    Busy,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Hello,
    MaskAnnounce,
    MaskRequest,
    Message,
    Refuse,
    WeightsRequest,
    Welcome,
)

MESSAGES_AT_ONCE = 64
"""So many messages are read from one socket before the others get their turn."""

_SAY_HELLO_FIRST = "say hello first"
_NOBODY = "?"
_RETRY_MS = 250
_OFFER_TIMEOUT_S = 2.0
"""A slot that was given with an offer is free again if no chunk is asked for within this."""

_FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
"""The one event whose value is no descriptor."""


class Server:
    """The ROUTER of a peer, for the transport's thread.

    Args:
        port: 0 = let the system choose.
        serve_at_once: requesters of weights that are served at the same time.
        idle_s: a requester that asks for nothing so long gives its slot up.
        on_gone: told which neighbor's control connection is gone.
        keys: None = connections are plain, and a Hello is believed, unless it comes from another
            neighbor's address.

    Attributes:
        hosts: address -> the only neighbor that is there, once that is known.
        stops: where transfers of weights wait.
    """

    def __init__(
        self,
        context: Context,
        me: Identity,
        address: str,
        port: int,
        neighbors: Collection[str],
        limits: SocketLimits,
        store: SnapshotStore,
        up: Pacer,
        messenger: Messenger,
        connections: Connections,
        *,
        serve_at_once: int,
        idle_s: float,
        on_gone: Callable[[str], None],
        keys: Keys | None = None,
    ) -> None:
        self._me, self._neighbors = me, frozenset(neighbors)
        self._store, self._up, self._messenger = store, up, messenger
        self._connections, self._on_gone = connections, on_gone
        self._gate = ZapGate(context, keys, messenger) if keys else None
        self._router, self.port = bind_router(context, address, port, limits, keys)
        self._monitor = watch_router(self._router, failures=keys is not None)
        self._ending = SILENT
        self._happened: deque[tuple[int, int]] = deque()
        self._sessions = Sessions()
        self.hosts: Mapping[str, str] = {}
        self._masks = MaskSender()
        self._last_mask: MaskAnnounce | None = None
        self._owed: deque[tuple[bytes, ChunkRequest]] = deque()
        self._slots, self._idle_s = UploadSlots(serve_at_once), idle_s
        self.stops = UploadStops((), store.find, lambda _reached: None)

    def begin(self, io: IoThread) -> None:
        """Listen."""
        if self._gate:
            io.listen(self._gate.socket, partial(self._on_gate, self._gate))
        io.listen(self._monitor, self._on_monitor)
        io.listen(self._router, self._on_router)

    def announce(self, mask: MaskAnnounce) -> None:
        """Send our mask to every neighbor that is connected."""
        self._last_mask = mask
        reached = [n for n in self._present() if self._send_mask(n, mask)]
        unreachable = sorted(self._neighbors - set(reached))
        self._messenger.tell(events.AnnounceDone(mask.round_index, reached, unreachable))

    def say_bye(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        for neighbor in self._present():
            self._tell(neighbor, Bye(round_index))

    def serve_owed(self) -> None:
        """Send the chunks that were asked for, as fast as the device's upload lets."""
        while (owed := self._first_owed()) and self._up.delay_s(time.monotonic()) <= 0:
            self._owed.remove(owed)
            sender, request = owed
            answer = self._store.answer(request)
            if self._reply(sender, answer) and isinstance(answer, Chunk):
                self._up.spend(len(answer.data), time.monotonic())
                if self._store.ends_at(answer):
                    self._slots.free(sender)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `serve_owed` has something to do; None = never."""
        return self._up.delay_s(now_s) if self._first_owed() else None

    def go_on(self, stop: Stop) -> None:
        """Let the transfer go on that waits at `stop`."""
        self.stops.go_on(stop)
        self.serve_owed()

    def close(self, linger_ms: int) -> None:
        """Close the sockets, once what was handed over is sent, or `linger_ms` have passed."""
        self._router.disable_monitor()  # before term(), or it hangs
        self._monitor.close(linger=0)
        self._router.close(linger=linger_ms)
        if self._gate:
            self._gate.close()

    # -- connections ---------------------------------------------------------------------

    def _on_gate(self, gate: ZapGate, flags: int) -> None:
        self._on_monitor(0)  # who is turned away hangs up at once: its address is read before
        gate.answer(flags)

    def _on_monitor(self, _flags: int) -> None:
        self._happened.extend(news(self._monitor))
        while self._happened:
            what, value = self._happened.popleft()
            match what:
                case zmq.EVENT_ACCEPTED:
                    self._forget(value)
                    self._connections.accepted(value, partial(self._has_ended, value))
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:  # of the one that is closed next
                    self._ending = why(value)
                case _:
                    self._forget(value, self._ending)
                    self._ending = SILENT

    def _has_ended(self, descriptor: int) -> bool:
        """Tell whether more happened at the descriptor of a connection than its opening."""
        self._happened.extend(news(self._monitor))
        return any(v == descriptor and e != _FAILED for e, v in self._happened)

    def _forget(self, gone: int, ending: tuple[str, str] = SILENT) -> None:
        connection = self._connections.closed(gone)
        if connection and not connection.spoke:
            counted = ending == SILENT and self._gate and self._gate.was_denied(connection.host)
            if not counted:
                self._messenger.reject(self._name(connection), *ending)
        session = self._sessions.leave(gone)
        if session:
            self._release(session.sender)
            if session.channel is Channel.CONTROL:
                self._messenger.tell(events.Left(session.neighbor, "connection closed"))
                self._on_gone(session.neighbor)

    def _admit(
        self, sender: bytes, hello: Hello, descriptor: int, connection: TcpConnection
    ) -> None:
        neighbor, channel = hello.peer_id, hello.channel
        session = Session(neighbor, channel, sender, descriptor, hello.incarnation)
        proof = "key" if connection.owner else "address"
        owner = connection.owner or self.hosts.get(connection.host, neighbor)
        if owner != neighbor:
            reason = f"{owner}'s {proof}, and the name of {neighbor}"
            self._messenger.reject(owner, "spoofed", reason)
            self._refuse(sender, f"a name that is not this {proof}'s", owner, connection)
            return
        refusal = objection(self._me, self._neighbors, hello) or self._sessions.objection(session)
        if refusal is not None:
            self._messenger.reject(neighbor, "refused", refusal)
            self._refuse(sender, refusal, neighbor, connection)
            return
        before = self._sessions.take(session)
        if before:  # the neighbor has lost it, or was restarted, and we were not told yet
            self._connections.hang_up(before.descriptor)
            self._release(before.sender)
        self._owe_nothing(sender)
        self._connections.belongs(connection, neighbor, channel)
        self._reply(sender, Welcome(self._me.incarnation))
        if channel is Channel.CONTROL:
            self._messenger.tell(events.Joined(neighbor, hello.incarnation))
            self._masks.forget(neighbor)
            if self._last_mask is not None:  # a late or returning neighbor
                self._send_mask(neighbor, self._last_mask)

    def _name(self, connection: TcpConnection) -> str:
        """Return whose an unwelcome connection is, as far as its key or its address tell."""
        return connection.owner or self.hosts.get(connection.host, connection.host)

    def _release(self, sender: bytes) -> None:
        """Give free what a connection had that speaks for nobody any more."""
        self._owe_nothing(sender)
        self._slots.free(sender)

    def _refuse(self, sender: bytes, reason: str, name: str, connection: TcpConnection) -> None:
        refuse = Refuse(reason)
        self._connections.refused(connection)
        self._messenger.send(connection, name, refuse, partial(self._put, sender, name, refuse))

    def _present(self) -> list[str]:
        there = (n for n in self._neighbors if self._sessions.of(n, Channel.CONTROL))
        return sorted(there)

    # -- messages ------------------------------------------------------------------------

    def _on_router(self, _flags: int) -> None:
        for _ in range(MESSAGES_AT_ONCE):
            try:
                sender, *frames = receive(self._router)
            except zmq.Again:
                return
            self._on_monitor(0)  # a closed connection's descriptor may be this one's by now
            descriptor = descriptor_of(frames[0])
            if descriptor is None:
                self._messenger.reject(_NOBODY, "malformed", "an older ZMTP")
                continue
            connection = self._came_by(descriptor, frames)
            session = self._session(sender.bytes, descriptor)
            if self._gate and not connection.owner:
                connection.owner = owner_of(frames[0])
            who = session.neighbor if session else self._name(connection)
            try:
                message = self._messenger.read(connection, who, frames)
            except WireError as error:
                if not session:  # a neighbor of another wire version should learn why
                    self._refuse(sender.bytes, str(error)[:MAX_REASON], who, connection)
                continue
            if isinstance(message, Hello) and message.peer_id in self._neighbors:
                who = message.peer_id
            handle = partial(self._take_in, sender.bytes, descriptor, connection)
            self._messenger.hand_in(connection, who, message, handle)

    def _came_by(self, descriptor: int, frames: Sequence[zmq.Frame]) -> TcpConnection:
        """Return the connection of a message. A first Hello may be read after the connection is
        gone, and another neighbor's has its descriptor."""
        now, before = self._connections.at(descriptor), self._connections.unheard(descriptor)
        if before is None or now.spoke:
            return now
        try:
            message = decode([frame.buffer for frame in frames])
        except WireError:
            return now
        name = message.peer_id if isinstance(message, Hello) else ""
        return before if name == self.hosts.get(before.host) != self.hosts.get(now.host) else now

    def _take_in(
        self, sender: bytes, descriptor: int, connection: TcpConnection, message: Message
    ) -> None:
        if connection.gone or connection.hung_up:
            return  # nobody is there to answer
        if isinstance(message, Hello):
            self._admit(sender, message, descriptor, connection)
        elif self._session(sender, descriptor):
            self._serve(sender, message)
        else:
            name = self._name(connection)
            self._messenger.reject(name, "stranger", _SAY_HELLO_FIRST)
            self._refuse(sender, _SAY_HELLO_FIRST, name, connection)

    def _session(self, sender: bytes, descriptor: int) -> Session | None:
        """Return the session of a connection. A stranger may choose an id that was another's."""
        session = self._sessions.at(sender)
        return session if session and session.descriptor == descriptor else None

    def _serve(self, sender: bytes, message: Message) -> None:
        match message:
            case WeightsRequest():
                self._offer(sender, message)
            case ChunkRequest():
                self._owe(sender, message)
            case MaskRequest():
                neighbor = self._sessions[sender]
                self._masks.forget(neighbor)
                if self._last_mask is not None:
                    self._send_mask(neighbor, self._last_mask)
            case _:
                neighbor = self._sessions[sender]
                self._messenger.reject(neighbor, "unexpected", type(message).__name__)

    def _offer(self, sender: bytes, request: WeightsRequest) -> None:
        self._owe_nothing(sender)
        now = time.monotonic()
        if self._store.has(request) and not self._slots.take(sender, now, _OFFER_TIMEOUT_S):
            self._reply(sender, Busy(_RETRY_MS))
        else:
            self._reply(sender, self._store.answer(request))

    def _owe(self, sender: bytes, request: ChunkRequest) -> None:
        if sum(creditor == sender for creditor, _ in self._owed) >= WINDOW_CHUNKS:
            reason = "more requests than the window"
            self._messenger.reject(self._sessions[sender], "unexpected", reason)
            return
        self._slots.take(sender, time.monotonic(), self._idle_s)
        self._owed.append((sender, request))
        self.serve_owed()

    def _first_owed(self) -> tuple[bytes, ChunkRequest] | None:
        """Return what to send next, None where nothing is owed but to who waits at a stop."""
        hold, names = self.stops.hold, self._sessions
        return next((owed for owed in self._owed if not hold(names[owed[0]], owed[1])), None)

    def _owe_nothing(self, sender: bytes) -> None:
        """Drop what `sender` asked for, for another pull."""
        self._owed = deque(owed for owed in self._owed if owed[0] != sender)

    def _send_mask(self, neighbor: str, mask: MaskAnnounce) -> bool:
        sent = self._tell(neighbor, self._masks.code(neighbor, mask))
        if sent:
            self._masks.sent(neighbor, mask)
        return sent

    def _tell(self, neighbor: str, message: Message) -> bool:
        """Send by a neighbor's control connection; False where it is gone or takes nothing in."""
        session = self._sessions.of(neighbor, Channel.CONTROL)
        if session is None:
            reason = f"{type(message).__name__}: no Hello"
            self._messenger.reject(neighbor, "unreachable", reason)
            return False
        return self._reply(session.sender, message)

    def _reply(self, to: bytes, message: Message) -> bool:
        """Send to an admitted connection; False where it is gone or takes nothing in."""
        session = self._sessions.at(to)
        if session is None:
            return False  # it left while this was owed to it
        connection, name = self._connections.at(session.descriptor), session.neighbor
        put = partial(self._put, to, name, message)
        return self._messenger.send(connection, name, message, put)

    def _put(self, to: bytes, name: str, message: Message, frames: Sequence[Frame]) -> bool:
        try:
            # Small frames are copied: that costs less than to keep them.
            self._router.send_multipart(
                [to, *frames], zmq.DONTWAIT, copy=not isinstance(message, Chunk)
            )
        except zmq.ZMQError as error:
            self._messenger.reject(name, "unreachable", f"{type(message).__name__}: {error}")
            return False
        return True
