"""A peer as the one that is connected to: its ROUTER admits, announces and serves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial

import zmq
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.errors import WireError
from prisam_p2p.peer import events
from prisam_p2p.peer.admission import Identity, objection, routing_id
from prisam_p2p.peer.connections import Connection, Connections
from prisam_p2p.peer.exchange import Exchange
from prisam_p2p.peer.mask_links import MaskSender
from prisam_p2p.peer.pacing import Pacer
from prisam_p2p.peer.pull import WINDOW_CHUNKS
from prisam_p2p.peer.reactor import Reactor
from prisam_p2p.peer.slots import Slots
from prisam_p2p.peer.snapshots import SnapshotStore
from prisam_p2p.peer.sockets import (
    Context,
    SocketLimits,
    bind_router,
    descriptor_of,
    readable,
    receive,
    watch_router,
)
from prisam_p2p.wire.codec import Frame
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
_RETRY_MS = 250
_OFFER_TIMEOUT_S = 2.0
"""A place that was given with an offer is free again if no chunk is asked for within this."""


class Serving:
    """The ROUTER of a peer, for the transport's thread.

    Args:
        port: 0 = let the system choose.
        serve_at_once: requesters of weights that are served at the same time.
        idle_s: a requester that asks for nothing so long gives its place up.
        on_gone: told which neighbor's control connection is gone.
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
        exchange: Exchange,
        connections: Connections,
        *,
        serve_at_once: int,
        idle_s: float,
        on_gone: Callable[[str], None],
    ) -> None:
        self._me, self._neighbors = me, frozenset(neighbors)
        self._store, self._up, self._exchange = store, up, exchange
        self._connections, self._on_gone = connections, on_gone
        self._router, self.port = bind_router(context, address, port, limits)
        self._monitor = watch_router(self._router)
        self._admitted: dict[bytes, str] = {}
        self._descriptors: dict[bytes, int] = {}
        self._masks = MaskSender()
        self._last_mask: MaskAnnounce | None = None
        self._owed: deque[tuple[bytes, ChunkRequest]] = deque()
        self._slots, self._idle_s = Slots(serve_at_once), idle_s

    def begin(self, reactor: Reactor) -> None:
        """Listen."""
        reactor.listen(self._monitor, self._on_monitor)
        reactor.listen(self._router, self._on_router)

    def announce(self, mask: MaskAnnounce) -> None:
        """Send our mask to every neighbor that is connected."""
        self._last_mask = mask
        reached = [n for n in self._present() if self._send_mask(n, mask)]
        unreachable = sorted(self._neighbors - set(reached))
        self._exchange.tell(events.AnnounceDone(mask.round_index, reached, unreachable))

    def say_bye(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        for neighbor in self._present():
            self._reply(routing_id(neighbor, Channel.CONTROL), Bye(round_index))

    def serve_owed(self) -> None:
        """Send the chunks that were asked for, as fast as the device's upload lets."""
        while self._owed and self._up.delay_s(time.monotonic()) <= 0:
            sender, request = self._owed.popleft()
            answer = self._store.answer(request)
            if self._reply(sender, answer) and isinstance(answer, Chunk):
                self._up.spend(len(answer.data), time.monotonic())
                if self._store.ends_at(answer):
                    self._slots.free(sender)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `serve_owed` has something to do; None = never."""
        return self._up.delay_s(now_s) if self._owed else None

    def close(self, linger_ms: int) -> None:
        """Close the sockets, once what was handed over is sent, or `linger_ms` have passed."""
        self._router.disable_monitor()  # before term(), or it hangs
        self._monitor.close(linger=0)
        self._router.close(linger=linger_ms)

    # -- connections ---------------------------------------------------------------------

    def _on_monitor(self, _flags: int) -> None:
        while readable(self._monitor):
            event = recv_monitor_message(self._monitor, zmq.DONTWAIT)
            descriptor = int(event["value"])
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._forget(descriptor)  # one whose routing id was taken over closes unannounced
                self._connections.accepted(descriptor)
            else:
                self._forget(descriptor)

    def _forget(self, gone: int) -> None:
        connection = self._connections.closed(gone)
        if connection and not connection.spoke:
            name = connection.client.rpartition(":")[0] or connection.client
            self._exchange.turn_away(name, "silent", "closed without a message")
        for sender in [s for s, descriptor in self._descriptors.items() if descriptor == gone]:
            del self._descriptors[sender]
            neighbor = self._admitted.pop(sender)
            self._owe_nothing(sender)
            self._slots.free(sender)
            if sender == routing_id(neighbor, Channel.CONTROL):
                self._exchange.tell(events.Left(neighbor, "connection closed"))
                self._on_gone(neighbor)

    def _admit(self, sender: bytes, hello: Hello, descriptor: int, connection: Connection) -> None:
        reason = objection(self._me, self._neighbors, sender, hello)
        if reason is not None:
            self._exchange.turn_away(hello.peer_id, "refused", reason)
            self._refuse(sender, reason, descriptor, connection)
            return
        self._admitted[sender] = hello.peer_id
        self._descriptors[sender] = descriptor
        self._owe_nothing(sender)
        self._connections.belongs(connection, hello.peer_id, hello.channel)
        self._reply(sender, Welcome(self._me.incarnation))
        if hello.channel is Channel.CONTROL:
            self._exchange.tell(events.Joined(hello.peer_id, hello.incarnation))
            self._masks.forget(hello.peer_id)
            if self._last_mask is not None:  # a late or returning neighbor
                self._send_mask(hello.peer_id, self._last_mask)

    def _refuse(self, sender: bytes, reason: str, descriptor: int, connection: Connection) -> None:
        if self._descriptors.get(sender, descriptor) != descriptor:
            # It took a neighbor's routing id over. ZeroMQ holds the neighbor's own connection
            # open and never uses it again: the neighbor must come back by a new one.
            self._connections.hang_up(self._descriptors[sender])
        self._connections.refused(connection)
        self._reply(sender, Refuse(reason), connection)

    def _present(self) -> list[str]:
        control = {n: routing_id(n, Channel.CONTROL) for n in sorted(self._neighbors)}
        return [neighbor for neighbor, sender in control.items() if sender in self._admitted]

    # -- messages ------------------------------------------------------------------------

    def _on_router(self, _flags: int) -> None:
        for _ in range(MESSAGES_AT_ONCE):
            try:
                sender, *frames = receive(self._router)
            except zmq.Again:
                return
            self._on_monitor(0)  # a closed connection's descriptor may be this one's by now
            # The connection itself must have said Hello, not another one that had this id.
            descriptor = descriptor_of(frames[0])
            if descriptor is None:
                name = sender.bytes.decode("latin-1")
                self._exchange.turn_away(name, "malformed", "an older ZMTP")
                continue
            connection = self._connections.at(descriptor)
            known = self._descriptors.get(sender.bytes) == descriptor
            who = self._admitted[sender.bytes] if known else sender.bytes.decode("latin-1")
            try:
                message = self._exchange.read(connection, who, frames)
            except WireError as error:
                if not known:  # a neighbor of another wire version should learn why
                    self._refuse(sender.bytes, str(error)[:MAX_REASON], descriptor, connection)
                continue
            handle = partial(self._take_in, sender.bytes, descriptor, connection)
            self._exchange.hand_in(connection, who, message, handle)

    def _take_in(
        self, sender: bytes, descriptor: int, connection: Connection, message: Message
    ) -> None:
        if connection.gone:
            return  # nobody is there to answer
        if isinstance(message, Hello):
            self._admit(sender, message, descriptor, connection)
        elif self._descriptors.get(sender) == descriptor:
            self._serve(sender, message)
        else:
            name = sender.decode("latin-1")
            self._exchange.turn_away(name, "stranger", _SAY_HELLO_FIRST)
            self._refuse(sender, _SAY_HELLO_FIRST, descriptor, connection)

    def _serve(self, sender: bytes, message: Message) -> None:
        match message:
            case WeightsRequest():
                self._offer(sender, message)
            case ChunkRequest():
                self._owe(sender, message)
            case MaskRequest():
                neighbor = self._admitted[sender]
                self._masks.forget(neighbor)
                if self._last_mask is not None:
                    self._send_mask(neighbor, self._last_mask)
            case _:
                neighbor = self._admitted[sender]
                self._exchange.turn_away(neighbor, "unexpected", type(message).__name__)

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
            self._exchange.turn_away(self._admitted[sender], "unexpected", reason)
            return
        self._slots.take(sender, time.monotonic(), self._idle_s)
        self._owed.append((sender, request))
        self.serve_owed()

    def _owe_nothing(self, sender: bytes) -> None:
        """Drop what `sender` asked for on another connection, or for another pull."""
        self._owed = deque(owed for owed in self._owed if owed[0] != sender)

    def _send_mask(self, neighbor: str, mask: MaskAnnounce) -> bool:
        sent = self._reply(routing_id(neighbor, Channel.CONTROL), self._masks.code(neighbor, mask))
        if sent:
            self._masks.sent(neighbor, mask)
        return sent

    def _reply(self, to: bytes, message: Message, connection: Connection | None = None) -> bool:
        """Send through the ROUTER; False where `to` is gone or takes nothing in.

        Args:
            connection: of one that is not admitted.
        """
        name = self._admitted.get(to, to.decode("latin-1"))
        if connection is None:
            if to not in self._descriptors:
                self._exchange.turn_away(name, "unreachable", f"{type(message).__name__}: no Hello")
                return False
            connection = self._connections.at(self._descriptors[to])
        return self._exchange.send(connection, name, message, partial(self._put, to, message))

    def _put(self, to: bytes, message: Message, frames: Sequence[Frame]) -> bool:
        try:
            # Small frames are copied: that costs less than to keep them.
            self._router.send_multipart(
                [to, *frames], zmq.DONTWAIT, copy=not isinstance(message, Chunk)
            )
        except zmq.ZMQError as error:
            name = self._admitted.get(to, to.decode("latin-1"))
            self._exchange.turn_away(name, "unreachable", f"{type(message).__name__}: {error}")
            return False
        return True
