"""The one way in and out for messages: encoded, sent, received, decoded, counted, and rejected.

Every message passes `send` or `hand_in`, where message faults drop, delay or damage it. A message
counts once ZeroMQ takes it, and once more where ZeroMQ delivers it. So one that a fault drops at
its sender counts nowhere, and one that a fault drops at its receiver counts at both ends.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import zmq

from prisam_p2p.control.message_rule import Rule, Way
from prisam_p2p.errors import WireError
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.delayed_messages import DelayedMessages
from prisam_p2p.transport.message_faults import MessageFaults, damaged
from prisam_p2p.transport.sockets import Socket
from prisam_p2p.wire.codec import Frame, decode, encode, kind_of
from prisam_p2p.wire.messages import Chunk, Kind, Message

_MOST_FRAMES = 4
"""One more than any message of ours has, routing id included: it is then no message."""

_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
"""Errors after which ZeroMQ may have half of a message: the neighbor would wait for the rest."""

_Handle = Callable[[Message], None]
_Go = Callable[..., bool | None]


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where messages to one peer go out.

    Attributes:
        peer: the receiver's name, as far as it is known.
        connection: the one that they go by; their bytes are counted for it.
        routing_id: the ROUTER's id of the connection; None for a DEALER, which has one peer only.
    """

    peer: str
    socket: Socket
    connection: TcpConnection
    routing_id: bytes | None = None


class Messenger:
    """Sends, decodes and counts all messages of a peer. For the transport's thread.

    Args:
        inbox: where events go.
        message_faults: the rules that disturb messages on their way.

    Attributes:
        rejections: the rejected messages that the loop was told of.
        intercepts: whether there are rules, or messages that a rule delayed.
    """

    def __init__(
        self,
        inbox: Inbox[events.Event],
        traffic: TrafficCounter,
        message_faults: MessageFaults | None = None,
    ) -> None:
        self._inbox, self._traffic, self.rejections = inbox, traffic, Rejections(inbox)
        self._message_faults = MessageFaults() if message_faults is None else message_faults
        self._delayed, self.intercepts = DelayedMessages(), False

    def read(self, connection: TcpConnection, sender: str, frames: Sequence[zmq.Frame]) -> Message:
        """Return the message in `frames`, which are counted in any case.

        Raises:
            WireError: they are no message; the loop was told that they were rejected.
        """
        connection.spoke = True
        sizes = [len(frame) for frame in frames]
        try:
            message = decode([frame.buffer for frame in frames])
        except WireError as error:
            self._traffic.add(connection.number, "in", None, sizes)
            self.reject(sender, "malformed", str(error))
            raise
        self._traffic.add(connection.number, "in", kind_of(message), sizes)
        return message

    def hand_in(
        self, connection: TcpConnection, sender: str, message: Message, handle: _Handle
    ) -> None:
        """Pass a message that was read on to `handle`, now, later, or never."""
        if not self.intercepts:
            handle(message)
        else:
            go = partial(self._hand_in, sender, message, handle)
            self._pass("in", connection, sender, message, go)

    def send(self, outlet: Outlet, message: Message) -> bool:
        """Hand `message` to ZeroMQ and count it; False where ZeroMQ does not take it."""
        if not self.intercepts:
            return self._send(outlet, message)
        go = partial(self._send, outlet, message)
        return self._pass("out", outlet.connection, outlet.peer, message, go) is not False

    def set_rule(self, rule: Rule) -> None:
        """Add a rule, in place of the one with its id."""
        self.remove_rule(rule.id)
        self._message_faults.add(rule)
        self.intercepts = True

    def remove_rule(self, rule_id: str) -> tuple[int, int]:
        """Remove a rule and release what it holds; return how often it (matched, acted)."""
        counts, now_s = self._message_faults.remove(rule_id), time.monotonic()
        self._delayed.release(rule_id, now_s)
        self.keep_time(now_s)
        return counts

    def keep_time(self, now_s: float) -> None:
        """Send or hand in the messages whose delay is over."""
        self._delayed.go_on(now_s)
        self.intercepts = bool(self._message_faults or self._delayed)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `keep_time` has something to do; None = never."""
        return self._delayed.next_s(now_s)

    def reject(self, sender: str, verdict: str, reason: str) -> None:
        """Count a message as rejected, and tell the loop."""
        self.rejections.add(sender, verdict, reason)

    def tell(self, event: events.Event) -> None:
        """Put an event into the inbox."""
        self._inbox.put(event)

    def _pass(
        self, way: Way, connection: TcpConnection, who: str, message: Message, go: _Go
    ) -> object:
        """Apply the message faults to a message; return what `go` returned if it passed at once."""
        now_s = time.monotonic()
        decision, delayed = self._message_faults.decide(way, who, kind_of(message)), self._delayed
        passed: object = None
        if decision.held or decision.delay_s or not delayed.is_free(way, connection):
            delayed.add(way, connection, decision, partial(go, damage=decision.corrupt), now_s)
        else:
            for _ in range(decision.copies):
                passed = go(damage=decision.corrupt)
        delayed.overtaken(way, connection, decision, now_s)
        return passed

    def _send(self, outlet: Outlet, message: Message, damage: bool = False) -> bool:
        frames, kind = damaged(message) if damage else (encode(message), kind_of(message))
        return self._put(outlet, message, frames, kind)

    def _put(
        self, outlet: Outlet, message: Message, frames: Sequence[Frame], kind: Kind | None
    ) -> bool:
        """Hand the frames of a message to ZeroMQ and count them."""
        to = () if outlet.routing_id is None else (outlet.routing_id,)
        # Small frames are copied: that costs less than to keep them.
        copy = not isinstance(message, Chunk)
        try:
            outlet.socket.send_multipart((*to, *frames), zmq.DONTWAIT, copy=copy)
        except zmq.ZMQError as error:
            if error.errno in _NO_MORE:
                raise
            if to:
                self.reject(outlet.peer, "unreachable", f"{type(message).__name__}: {error}")
            elif not isinstance(error, zmq.Again):  # that is: it is not connected (IMMEDIATE)
                raise
            return False
        sizes = [len(frame) for frame in frames]
        self._traffic.add(outlet.connection.number, "out", kind, sizes)
        return True

    def _hand_in(
        self, sender: str, message: Message, handle: _Handle, damage: bool = False
    ) -> None:
        try:
            left = decode(damaged(message)[0]) if damage else message
        except WireError as error:
            self.reject(sender, "malformed", str(error))
        else:
            handle(left)


# -- frames ----------------------------------------------------------------------------


def receive(socket: Socket) -> list[zmq.Frame]:
    """Return the frames of the next message, at most `_MOST_FRAMES`.

    ZeroMQ bounds the bytes of a frame but not the number of frames, each of which costs 600 bytes
    in Python.

    Raises:
        zmq.Again: there is none.
    """
    frame = socket.recv(zmq.DONTWAIT, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(zmq.DONTWAIT, copy=False)
        if len(frames) < _MOST_FRAMES:
            frames.append(frame)
    return frames


def descriptor_of(frame: zmq.Frame) -> int | None:
    """Return the descriptor of the connection that `frame` came by; None for ZMTP 1 and 2."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None


# -- rejected messages -----------------------------------------------------------------

MOST_SENDERS = 64
OTHERS = "others"
"""Stands for all senders beyond MOST_SENDERS."""


class Rejections:
    """Bounds the events about rejected messages: at most one per sender and verdict is unread.

    Further messages of that sender and verdict are only counted, until the event is taken. Since
    strangers may claim any name, senders beyond MOST_SENDERS are counted together, as OTHERS. The
    transport's thread adds, the loop's thread takes.
    """

    def __init__(self, inbox: Inbox[events.Event]) -> None:
        self._inbox, self._unread = inbox, dict[tuple[str, str], int]()
        self._lock = threading.Lock()

    def add(self, sender: str, verdict: str, reason: str) -> None:
        """Count a rejected message; `reason` is told only where no event is unread."""
        with self._lock:
            if len(self._unread) >= MOST_SENDERS and (sender, verdict) not in self._unread:
                sender = OTHERS
            waiting = self._unread.get((sender, verdict), 0)
            self._unread[sender, verdict] = waiting + 1
        if not waiting:
            self._inbox.put(events.MessageRejected(sender, verdict, reason))

    def take(self, event: events.MessageRejected) -> int:
        """Return how many messages `event` stands for; to be called once for each event."""
        with self._lock:
            return self._unread.pop((event.sender, event.verdict))
