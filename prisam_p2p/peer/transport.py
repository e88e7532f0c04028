"""The sockets of one peer and the thread that owns them: frames in, events out.

With sockets.py the only place that knows ZeroMQ. Every method without an underscore may be
called from any thread; everything else runs in the transport's own, so training never delays an
answer.

One ROUTER announces masks to the neighbors that connected to it and answers their requests. To
each neighbor's ROUTER goes a control DEALER, which hears its masks, and, from the first pull
on, a bulk DEALER, so weights never hold up a mask.
"""

from __future__ import annotations

import contextlib
import socket as std_socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import zmq
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.core.bits import packed_size
from prisam_p2p.core.layout import Layout
from prisam_p2p.errors import WireError
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.peer import events
from prisam_p2p.peer.admission import Identity, objection, routing_id
from prisam_p2p.peer.pacing import Pacer
from prisam_p2p.peer.pull import WINDOW_CHUNKS, Pull
from prisam_p2p.peer.snapshots import Snapshot, SnapshotStore
from prisam_p2p.peer.sockets import (
    Socket,
    SocketLimits,
    bind_router,
    connect_dealer,
    watch_router,
)
from prisam_p2p.wire.codec import MAX_HEADER_BYTES, Frame, decode, encode, kind_of
from prisam_p2p.wire.messages import (
    MAX_REASON,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Hello,
    MaskAnnounce,
    Message,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
)

Endpoint = tuple[str, int]

_SAY_HELLO_FIRST = "say hello first"
_MESSAGES_AT_ONCE = 64
"""So many messages are read from one socket before the others get their turn."""


@dataclass(frozen=True)
class Rates:
    """A device's network, bytes per second each way; None = no limit."""

    up_bytes_s: float | None = None
    down_bytes_s: float | None = None


class Transport:
    """Binds at once; `connect` starts the conversation.

    Args:
        neighbors: who may connect.
        inbox: where events go.
        pull_timeout_s: without a byte for so long, a pull is lost.
    """

    def __init__(
        self,
        me: Identity,
        address: str,
        neighbors: Sequence[str],
        layout: Layout,
        inbox: SimpleQueue[events.Event],
        *,
        chunk_bytes: int,
        pull_timeout_s: float,
        rates: Rates,
    ) -> None:
        self._me, self._address, self._neighbors = me, address, frozenset(neighbors)
        self._layout, self._inbox = layout, inbox
        self._chunk_bytes, self._pull_timeout_s = chunk_bytes, pull_timeout_s
        mask_bytes = packed_size(layout.n_bits)
        self._limits = SocketLimits(
            heartbeat_ms=max(1000, 100 * len(neighbors)),  # at most ten pings a second
            largest_request=MAX_HEADER_BYTES,
            largest_reply=max(MAX_HEADER_BYTES, mask_bytes, chunk_bytes),
        )
        self._up = Pacer(rates.up_bytes_s)
        self._down = Pacer(rates.down_bytes_s)
        self._store = SnapshotStore(chunk_bytes)
        self._traffic = TrafficCounter()
        self._admitted: dict[bytes, str] = {}
        self._descriptors: dict[bytes, int] = {}
        self._gone: set[str] = set()
        self._last_mask: MaskAnnounce | None = None
        self._control: dict[str, Socket] = {}
        self._handshakes: list[Socket] = []
        self._bulk: dict[str, Socket] = {}
        self._welcomed: set[Socket] = set()
        self._pulls: dict[str, tuple[Pull, float, float]] = {}
        self._owed: deque[tuple[bytes, ChunkRequest]] = deque()
        self._roster: Mapping[str, Endpoint] = {}
        self._commands: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._waker, self._wake = std_socket.socketpair()
        self._wake.setblocking(False)
        self._closing = False
        self._context = zmq.Context[Socket](io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, 4 * len(neighbors) + 16)
        self._router, self.port = bind_router(self._context, address, self._limits)
        self._monitor = watch_router(self._router)
        self._handlers: dict[object, Callable[[int], None]] = {}
        self._poller = zmq.Poller()
        self._thread = threading.Thread(target=self._run, name="transport", daemon=True)

    # -- for any thread ------------------------------------------------------------------

    def connect(self, roster: Mapping[str, Endpoint]) -> None:
        """Say Hello to all neighbors, whose ROUTERs are where `roster` says."""
        self._roster = roster
        self._thread.start()

    def announce(self, mask: MaskAnnounce, snapshot: Snapshot) -> None:
        """Offer `snapshot` and send `mask` to every neighbor that is connected."""
        self._store.publish(snapshot)
        self._tell(partial(self._announce, mask))

    def pull(self, donors: Sequence[str], round_index: int) -> None:
        """Fetch the weights of a round from `donors`; each ends as PullDone or PullLost."""
        self._tell(partial(self._start_pulls, donors, round_index))

    def end_pulls(self, reason: str) -> None:
        """Give up what is not here yet; each such pull ends as PullLost."""
        self._tell(partial(self._lose_all, reason))

    def say_bye(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        self._tell(partial(self._broadcast, Bye(round_index)))

    def traffic(self) -> list[list[str | int]]:
        """Return the bytes so far (`TrafficCounter.rows`)."""
        return self._traffic.rows()

    def peak_mbit_s(self) -> tuple[float, float]:
        """Return the most weights that went up, and were asked down, in any one second."""
        up, down = (pacer.peak_bytes_s * 8 / 1e6 for pacer in (self._up, self._down))
        return round(up, 3), round(down, 3)

    def close(self) -> None:
        """Close every socket and end the thread. Once closed, it stays closed."""
        self._closing = True
        if self._thread.ident is not None:
            self._tell(lambda: None)
            self._thread.join(timeout=5)
        elif not self._context.closed:
            self._close_sockets()
        self._waker.close()  # here, for the thread may end before it is woken
        self._wake.close()

    def _tell(self, command: Callable[[], object]) -> None:
        self._commands.put(command)
        with contextlib.suppress(OSError):  # a full pipe wakes as well, a closed one has nobody to
            self._wake.send(b"\0")

    # -- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._listen(self._waker.fileno(), self._obey)
            self._listen(self._monitor, self._on_monitor)
            self._listen(self._router, self._on_router)
            for neighbor in sorted(self._neighbors):
                self._control[neighbor] = self._open(neighbor, Channel.CONTROL)
            while not self._closing:
                for source, flags in self._poller.poll(self._patience_ms()):
                    self._handlers[source](flags)
                self._keep_time()
        except Exception:
            self._inbox.put(events.Broken(traceback.format_exc()))
        finally:
            self._close_sockets()

    def _listen(self, source: Socket | int, handler: Callable[[int], None]) -> None:
        self._handlers[source] = handler
        self._poller.register(source, zmq.POLLIN)

    def _obey(self, _flags: int) -> None:
        self._waker.recv(4096)
        while not self._commands.empty():
            self._commands.get()()

    def _patience_ms(self) -> int | None:
        """Return when there is something to do though nobody wrote, in ms from now."""
        now = time.monotonic()
        waits = [moved + self._pull_timeout_s - now for _, _, moved in self._pulls.values()]
        if self._owed:
            waits.append(self._up.delay_s(now))
        if any(pull.wants_more for pull, _, _ in self._pulls.values()):
            waits.append(self._down.delay_s(now))
        return max(0, int(min(waits) * 1000) + 1) if waits else None

    def _keep_time(self) -> None:
        self._serve_owed()
        now = time.monotonic()
        for donor, (pull, started, moved) in list(self._pulls.items()):
            if not pull.waits_for_bytes:  # our own rate holds it back, not the donor
                self._pulls[donor] = (pull, started, now)
            elif now - moved >= self._pull_timeout_s:
                self._lose(donor, f"no byte for {self._pull_timeout_s:g} s")
            if donor in self._pulls and pull.wants_more:
                self._ask_more(donor)

    def _close_sockets(self) -> None:
        for watched in (self._router, *self._control.values()):
            watched.disable_monitor()  # before term(), or it hangs
        watches = (self._monitor, *self._handshakes)
        for each in (*self._control.values(), *self._bulk.values(), *watches, self._router):
            each.close(linger=0)
        self._context.term()

    # -- as the one that is connected to -------------------------------------------------

    def _on_monitor(self, _flags: int) -> None:
        while self._monitor.poll(0):
            gone = int(recv_monitor_message(self._monitor, zmq.DONTWAIT)["value"])
            for sender in [s for s, descriptor in self._descriptors.items() if descriptor == gone]:
                del self._descriptors[sender]
                neighbor = self._admitted.pop(sender)
                if sender == routing_id(neighbor, Channel.CONTROL):
                    self._inbox.put(events.Left(neighbor, "connection closed"))
                    self._gone.add(neighbor)
                    self._lose(neighbor, "connection closed")

    def _on_router(self, _flags: int) -> None:
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                sender, *frames = self._router.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            self._on_monitor(0)  # a closed connection's descriptor may be this one's by now
            # The connection itself must have said Hello, not another one that had this id.
            descriptor = _descriptor(frames[0])
            if descriptor is None:
                self._turn_away(sender.bytes.decode("latin-1"), "malformed", "an older ZMTP")
                continue
            known = self._descriptors.get(sender.bytes) == descriptor
            who = self._admitted[sender.bytes] if known else sender.bytes.decode("latin-1")
            try:
                message = self._read(who, [frame.buffer for frame in frames], counts=known)
            except WireError as error:
                if not known:  # a neighbor of another wire version should learn why
                    self._reply(sender.bytes, Refuse(str(error)[:MAX_REASON]))
                continue
            self._serve(sender.bytes, message, descriptor, known)

    def _serve(self, sender: bytes, message: Message, descriptor: int, known: bool) -> None:
        match message:
            case Hello():
                self._admit(sender, message, descriptor)
            case _ if not known:
                self._turn_away(sender.decode("latin-1"), "stranger", _SAY_HELLO_FIRST)
                self._reply(sender, Refuse(_SAY_HELLO_FIRST))
            case WeightsRequest():
                self._reply(sender, self._store.answer(message))
            case ChunkRequest():
                self._owe(sender, message)
            case _:
                self._turn_away(self._admitted[sender], "unexpected", type(message).__name__)

    def _admit(self, sender: bytes, hello: Hello, descriptor: int) -> None:
        reason = objection(self._me, self._neighbors, sender, hello)
        if reason is not None:
            self._turn_away(hello.peer_id, "refused", reason)
            self._reply(sender, Refuse(reason))
            return
        self._admitted[sender] = hello.peer_id
        self._descriptors[sender] = descriptor
        self._gone.discard(hello.peer_id)
        self._count("in", hello.peer_id, hello, encode(hello))
        self._reply(sender, Welcome(self._me.incarnation))
        if hello.channel is Channel.CONTROL:
            self._inbox.put(events.Joined(hello.peer_id, hello.incarnation))
            if self._last_mask is not None:  # a late or returning neighbor
                self._reply(sender, self._last_mask)

    def _owe(self, sender: bytes, request: ChunkRequest) -> None:
        if sum(creditor == sender for creditor, _ in self._owed) > WINDOW_CHUNKS:
            self._turn_away(self._admitted[sender], "unexpected", "more requests than the window")
            return
        self._owed.append((sender, request))
        self._serve_owed()

    def _serve_owed(self) -> None:
        while self._owed and self._up.delay_s(time.monotonic()) <= 0:
            sender, request = self._owed.popleft()
            answer = self._store.answer(request)
            if self._reply(sender, answer) and isinstance(answer, Chunk):
                self._up.spend(len(answer.data), time.monotonic())

    def _announce(self, mask: MaskAnnounce) -> None:
        self._last_mask = mask
        reached = self._broadcast(mask)
        unreachable = sorted(self._neighbors - set(reached))
        self._inbox.put(events.AnnounceDone(mask.round_index, reached, unreachable))

    def _broadcast(self, message: Message) -> list[str]:
        return [
            neighbor
            for neighbor in sorted(self._neighbors)
            if routing_id(neighbor, Channel.CONTROL) in self._admitted
            and self._reply(routing_id(neighbor, Channel.CONTROL), message)
        ]

    def _reply(self, to: bytes, message: Message) -> bool:
        """Send through the ROUTER; False where `to` is gone or takes nothing in."""
        frames = encode(message)
        try:
            self._router.send_multipart([to, *frames], zmq.DONTWAIT, copy=False)
        except zmq.ZMQError as error:
            name = self._admitted.get(to, to.decode("latin-1"))
            self._turn_away(name, "unreachable", f"{type(message).__name__}: {error}")
            return False
        if to in self._admitted:
            self._count("out", self._admitted[to], message, frames)
        return True

    # -- as the one that connects --------------------------------------------------------

    def _open(self, neighbor: str, channel: Channel) -> Socket:
        dealer, handshakes = connect_dealer(
            self._context,
            self._me.peer_id,
            channel,
            self._address,
            self._roster[neighbor],
            self._limits,
        )
        self._handlers[dealer] = partial(self._on_dealer, neighbor, channel, dealer)
        if handshakes is None:
            self._greet_when_writable(dealer)
        else:
            self._handshakes.append(handshakes)
            self._listen(handshakes, partial(self._on_handshake, dealer, handshakes))
        return dealer

    def _greet_when_writable(self, dealer: Socket) -> None:
        self._poller.register(dealer, zmq.POLLIN | zmq.POLLOUT)  # writable = connected

    def _on_handshake(self, dealer: Socket, handshakes: Socket, _flags: int) -> None:
        """Greet on every new connection: what was said on the one before does not count."""
        while handshakes.poll(0):
            recv_monitor_message(handshakes, zmq.DONTWAIT)
        self._greet_when_writable(dealer)

    def _on_dealer(self, neighbor: str, channel: Channel, dealer: Socket, flags: int) -> None:
        if flags & zmq.POLLOUT and self._request(neighbor, dealer, self._me.hello(channel)):
            self._poller.register(dealer, zmq.POLLIN)
        if not flags & zmq.POLLIN:
            return
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                frames = dealer.recv_multipart(zmq.DONTWAIT, copy=channel is Channel.CONTROL)
            except zmq.Again:
                return
            views: list[Frame] = [f.buffer if isinstance(f, zmq.Frame) else f for f in frames]
            with contextlib.suppress(WireError):  # counted, dropped
                self._hear(neighbor, channel, dealer, self._read(neighbor, views, counts=True))

    def _hear(self, neighbor: str, channel: Channel, dealer: Socket, message: Message) -> None:
        match message, channel:
            case Welcome(), Channel.CONTROL:
                self._inbox.put(events.Welcomed(neighbor))
            case Welcome(), Channel.BULK:
                if neighbor in self._pulls and dealer not in self._welcomed:
                    self._request(neighbor, dealer, self._pulls[neighbor][0].first_request())
                self._welcomed.add(dealer)
            case Refuse(reason), Channel.CONTROL:
                self._inbox.put(events.Left(neighbor, f"refused us: {reason}"))
            case Refuse(), Channel.BULK if dealer in self._welcomed:
                self._welcomed.discard(dealer)  # the welcome was on a connection that is lost
                self._greet_when_writable(dealer)
            case Refuse(reason), Channel.BULK:
                self._lose(neighbor, f"refused us: {reason}")
            case MaskAnnounce(), Channel.CONTROL:
                self._inbox.put(events.MaskHeard(neighbor, message))
            case Bye(round_index), Channel.CONTROL:
                self._inbox.put(
                    events.Left(neighbor, f"left before round {round_index}", for_good=True)
                )
            case ((WeightsOffer() | Chunk() | Unavailable()), Channel.BULK):
                self._advance(neighbor, message)
            case _:
                self._turn_away(neighbor, "unexpected", type(message).__name__)

    def _request(self, neighbor: str, dealer: Socket, message: Message) -> bool:
        frames = encode(message)
        try:
            dealer.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:  # not connected: IMMEDIATE queues nothing
            return False
        self._count("out", neighbor, message, frames)
        return True

    # -- pulls ---------------------------------------------------------------------------

    def _start_pulls(self, donors: Sequence[str], round_index: int) -> None:
        now = time.monotonic()
        for donor in donors:
            pull = Pull(self._layout, donor, round_index, self._chunk_bytes)
            self._pulls[donor] = (pull, now, now)
            if donor in self._gone:  # since it announced
                self._lose(donor, "connection closed")
            elif donor not in self._bulk:
                self._bulk[donor] = self._open(donor, Channel.BULK)
            elif self._bulk[donor] not in self._welcomed:
                self._greet_when_writable(self._bulk[donor])
            elif not self._request(donor, self._bulk[donor], pull.first_request()):
                self._welcomed.discard(self._bulk[donor])
                self._greet_when_writable(self._bulk[donor])

    def _advance(self, donor: str, message: WeightsOffer | Chunk | Unavailable) -> None:
        pull, started, _ = self._pulls.get(donor, (None, 0.0, 0.0))
        if pull is None or not pull.expects(message):
            self._turn_away(donor, "stale", f"{type(message).__name__} of an ended pull")
            return
        try:
            pull.receive(message)
        except WireError as error:
            self._lose(donor, str(error))
            return
        except MemoryError:
            self._lose(donor, "no memory for it on this device")
            return
        now = time.monotonic()
        self._pulls[donor] = (pull, started, now)
        if pull.done:
            del self._pulls[donor]
            self._inbox.put(events.PullDone(pull, now - started))
        else:
            self._ask_more(donor)

    def _ask_more(self, donor: str) -> None:
        pull = self._pulls[donor][0]
        while pull.wants_more and self._down.delay_s(time.monotonic()) <= 0:
            request = pull.next_request()
            if not self._request(donor, self._bulk[donor], request):
                self._welcomed.discard(self._bulk[donor])
                self._lose(donor, "connection closed")
                return
            self._down.spend(request.length, time.monotonic())
            self._pulls[donor] = self._pulls.pop(donor)  # to the end: now it is another's turn

    def _lose(self, donor: str, reason: str) -> None:
        if donor in self._pulls:
            pull, _, _ = self._pulls.pop(donor)
            self._inbox.put(events.PullLost(donor, pull.round_index, reason))

    def _lose_all(self, reason: str) -> None:
        for donor in list(self._pulls):
            self._lose(donor, reason)

    # -- what both sides do --------------------------------------------------------------

    def _read(self, sender: str, frames: list[Frame], counts: bool) -> Message:
        try:
            message = decode(frames)
        except WireError as error:
            self._turn_away(sender, "malformed", str(error))
            raise
        if counts and not isinstance(message, Hello):  # a Hello counts when it is welcome
            self._count("in", sender, message, frames)
        return message

    def _count(self, direction: str, name: str, message: Message, frames: Sequence[Frame]) -> None:
        self._traffic.add(direction, name, kind_of(message), [len(frame) for frame in frames])

    def _turn_away(self, sender: str, verdict: str, reason: str) -> None:
        self._inbox.put(events.TurnedAway(sender, verdict, reason))


def _descriptor(frame: zmq.Frame) -> int | None:
    """Return the descriptor of the connection that `frame` came by; ZMTP 1 and 2 tell none."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None
