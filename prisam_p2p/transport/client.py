"""The connecting side of a peer: DEALERs that receive neighbors' masks and pull their weights."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import zmq

from prisam_p2p.errors import WireError
from prisam_p2p.measure import records
from prisam_p2p.transport import events
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.context import MESSAGES_PER_TURN, Endpoint, TransportContext
from prisam_p2p.transport.io_thread import IoThread
from prisam_p2p.transport.messenger import Outlet, descriptor_of, receive
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import Pull
from prisam_p2p.transport.pull_manager import Patience, PullManager
from prisam_p2p.transport.sockets import (
    RECONNECT_MOST_MS,
    RECONNECT_MS,
    Socket,
    connect_dealer,
    news,
)
from prisam_p2p.transport.zap import why, z85_of
from prisam_p2p.wire.mask_coding import BaseMissing, MaskReceiver
from prisam_p2p.wire.messages import (
    Busy,
    Bye,
    Channel,
    Chunk,
    MaskAnnounce,
    MaskRequest,
    Message,
    Refuse,
    Unavailable,
    WeightsOffer,
    Welcome,
)
from prisam_p2p.wire.relay_messages import Entry, MaskDigest, MaskWanted, RelayedMask

HOST_LOST = "its host was lost"
"""Why a pull from a neighbor ends that is fenced."""

NO_PATH = "no path of links leads to it"
"""Why a pull ends from a peer that is no neighbor, and was not discovered in this round."""


@dataclass(eq=False)
class _Line:
    """A DEALER to one neighbor's ROUTER. ZeroMQ may open several TCP connections in turn.

    Attributes:
        now: the latest connection.
        welcomed: whether the neighbor sent a Welcome on it.
        lost: whether a connection ended and no Welcome came since.
        greeted_s: when the last Hello was sent; infinity if none waits for an answer.
        denials: how often in a row the neighbor's gate has denied this peer's key.
        again_s: when it is to be opened again, once it was denied.
    """

    neighbor: str
    channel: Channel
    socket: Socket
    monitor: Socket
    connections: dict[int | None, TcpConnection] = field(default_factory=dict)
    now: TcpConnection | None = None
    welcomed: bool = False
    lost: bool = False
    greeted_s: float = math.inf
    denials: int = 0
    again_s: float = math.inf
    happened: deque[tuple[int, int]] = field(default_factory=deque)

    def has_ended(self, descriptor: int) -> bool:
        """Tell whether the connection that was just opened at `descriptor` has already ended."""
        self.happened.extend(news(self.monitor))
        return (zmq.EVENT_DISCONNECTED, descriptor) in self.happened


class Client:
    """The DEALERs of a peer, for the transport's thread.

    Args:
        down: the device's download rate.
        most_bits: longer masks are rejected.

    Attributes:
        introduction: what this peer signed last of itself; None where masks are not relayed.
    """

    def __init__(
        self, context: TransportContext, down: Pacer, patience: Patience, most_bits: int
    ) -> None:
        self._context, self._me = context, context.me
        self._messenger, self._connections = context.messenger, context.connections
        self._pulls = PullManager(patience, down, self._ask, self._messenger.tell)
        self._masks = MaskReceiver(most_bits)
        self._roster: dict[str, Endpoint] = {}
        keys = self._me.keys
        self._public_keys = dict(keys.neighbors) if keys else {}
        self._lines: dict[tuple[str, Channel], _Line] = {}
        self._denied: set[_Line] = set()
        self._gone: set[str] = set()
        self._fenced: set[str] = set()
        self._met: set[str] = set()  # peers that are no neighbors
        self._io: IoThread | None = None
        self.introduction: RelayedMask | None = None

    def begin(self, io: IoThread) -> None:
        """Get ready to connect."""
        self._io = io

    def connect(self, roster: Mapping[str, Endpoint]) -> None:
        """Say Hello to all neighbors, but for those of which something newer was said before."""
        for neighbor in sorted(roster.keys() - self._roster.keys() - self._fenced):
            self._roster[neighbor] = roster[neighbor]
            self._open(neighbor, Channel.CONTROL)

    def update_neighbor(self, neighbor: str, endpoint: Endpoint, public_key: str | None) -> None:
        """Connect to a neighbor that is new, or is now reached elsewhere or by another key.

        Connections to where it was before are closed, once what came by them is read; a pull goes
        on by the new ones.
        """
        self._fenced.discard(neighbor)
        key = public_key or self._public_keys.get(neighbor)
        if (self._roster.get(neighbor), self._public_keys.get(neighbor)) == (endpoint, key):
            return
        before = self._read_last(neighbor)
        self._roster[neighbor] = endpoint
        if self._me.keys and key:
            self._public_keys[neighbor] = key
        for line in before:
            self._drop(line)
            self._open(neighbor, line.channel)
        if (neighbor, Channel.CONTROL) not in self._lines:
            self._open(neighbor, Channel.CONTROL)

    def fence(self, neighbor: str, least_incarnation: int) -> None:
        """Talk to no process of a neighbor until `update_neighbor` says where the next one is.

        What came by the connections to the one before is read; a pull from it is given up.
        """
        before = self._read_last(neighbor)
        self._messenger.tell(events.FencedOff(neighbor, least_incarnation))
        for line in before:
            self._drop(line)
        self._roster.pop(neighbor, None)
        self._fenced.add(neighbor)
        self._pulls.lose(neighbor, HOST_LOST, time.monotonic())

    def meet(self, strangers: Sequence[RelayedMask]) -> None:
        """Pull from these peers, which are no neighbors; end the connections to all others met."""
        there = {said.origin: said for said in strangers}
        for peer in self._met - there.keys():
            self._part(peer)
        for peer, said in there.items():
            endpoint, key = (said.address, said.port), z85_of(said.public_key)
            if (self._roster.get(peer), self._public_keys.get(peer, "")) != (endpoint, key):
                self._part(peer)
                self._roster[peer] = endpoint
                if key:
                    self._public_keys[peer] = key
        self._met = set(there)

    def ask_masks(self, neighbor: str, round_index: int, entries: Sequence[Entry]) -> None:
        """Ask a neighbor for masks that its digest listed."""
        line = self._lines.get((neighbor, Channel.CONTROL))
        if line and line.welcomed:
            self._send(line, MaskWanted(round_index, tuple(entries)))

    def pull(self, pulls: Sequence[Pull], timeout_s: float) -> None:
        """Fetch weights; each pull ends as PullDone or PullLost within `timeout_s`."""
        now = time.monotonic()
        for pull in pulls:
            self._pulls.start(pull, now, timeout_s)
            if pull.donor not in self._roster:
                why_not = HOST_LOST if pull.donor in self._me.neighbors else NO_PATH
                self._pulls.lose(pull.donor, why_not, now)
                continue
            line = self._lines.get((pull.donor, Channel.BULK))
            if line and line.welcomed:
                self._pulls.open(pull.donor, now)
                control = self._lines.get((pull.donor, Channel.CONTROL))
                if control and control.lost:
                    self._pulls.donor_silent(pull.donor, now)
            elif pull.donor in self._gone:  # it left after it announced
                self._pulls.donor_gone(pull.donor, now)
            if line is None:
                self._open(pull.donor, Channel.BULK)
            elif not line.welcomed:  # its last Hello was refused or not answered
                self._greet_when_writable(line)

    def next_s(self, now: float) -> float | None:
        """Return how long nothing is due that `keep_time` does; None = until something comes."""
        waits = [line.again_s - now for line in self._denied]
        if (of_pulls := self._pulls.next_s(now)) is not None:
            waits.append(of_pulls)
        return max(0.0, min(waits)) if waits else None

    def keep_time(self, now: float) -> None:
        """Do what is due: give pulls up, and connect again where the key was denied."""
        self._pulls.keep_time(now)
        for line in [each for each in self._denied if each.again_s <= now]:
            self._drop(line)
            later = self._open(line.neighbor, line.channel)
            later.lost, later.denials = line.lost, line.denials

    def greet_again(self, unanswered_s: float) -> None:
        """Repeat each Hello that was not answered for this long: it, or its answer, was lost."""
        before_s = time.monotonic() - unanswered_s
        for line in self._lines.values():
            there = line.now is not None and not line.now.gone
            if there and not line.welcomed and line.greeted_s <= before_s:
                self._greet_when_writable(line)

    def neighbor_gone(self, neighbor: str) -> None:
        """Note that a neighbor closed its connection to this peer."""
        self._gone.add(neighbor)
        line = self._lines.get((neighbor, Channel.BULK))
        if line is None or not line.welcomed:  # otherwise that connection's own end is reported
            self._pulls.donor_gone(neighbor, time.monotonic())

    def close(self, linger_ms: int) -> None:
        """Close the sockets, after sending what was handed over, for at most `linger_ms`."""
        for line in self._lines.values():
            self._close_line(line, linger_ms)

    # -- connections ---------------------------------------------------------------------

    def _open(self, neighbor: str, channel: Channel) -> _Line:
        assert self._io is not None
        to = self._roster[neighbor]
        keys = self._me.keys
        sockets = connect_dealer(
            self._context.zmq,
            channel,
            self._me.source,
            to,
            self._context.limits,
            keys,
            self._public_keys.get(neighbor, ""),
        )
        line = self._lines[neighbor, channel] = _Line(neighbor, channel, *sockets)
        self._io.listen(line.monitor, partial(self._on_monitor, line))
        self._io.listen(line.socket, partial(self._on_dealer, line))
        return line

    def _read_last(self, neighbor: str) -> list[_Line]:
        """Return the lines to a neighbor, once what came by them is read: they are to end."""
        lines = [line for line in self._lines.values() if line.neighbor == neighbor]
        for line in lines:
            self._on_monitor(line, 0)
            self._on_dealer(line, zmq.POLLIN)
        return lines

    def _part(self, peer: str) -> None:
        """End the connections to a peer that is no neighbor, once what came by them is read."""
        for line in self._read_last(peer):
            self._drop(line)
        self._roster.pop(peer, None)
        self._public_keys.pop(peer, None)

    def _drop(self, line: _Line) -> None:
        del self._lines[line.neighbor, line.channel]
        self._denied.discard(line)
        if line.welcomed:
            self._on_disconnected(line)
        self._close_line(line, linger_ms=0)

    def _greet_when_writable(self, line: _Line) -> None:
        assert self._io is not None
        handler = partial(self._on_dealer, line)
        self._io.listen(line.socket, handler, zmq.POLLIN | zmq.POLLOUT)

    def _on_monitor(self, line: _Line, _flags: int) -> None:
        line.happened.extend(news(line.monitor))
        while line.happened:
            what, descriptor = line.happened.popleft()
            match what:
                case zmq.EVENT_CONNECTED:
                    line.now = self._connections.connected(
                        descriptor,
                        self._roster[line.neighbor],
                        line.neighbor,
                        line.channel,
                        partial(line.has_ended, descriptor),
                    )
                    line.connections[descriptor] = line.now
                case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    line.denials = 0
                    # Each connection begins with its own Hello.
                    self._greet_when_writable(line)
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                    self._messenger.reject(line.neighbor, *why(descriptor))
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    # Where a peer has moved, a neighbor may learn its new key later than the peer
                    # learns where the neighbor is. ZeroMQ itself does not try again.
                    line.again_s = time.monotonic() + _pause_s(line.denials)
                    line.denials += 1
                    self._denied.add(line)
                case zmq.EVENT_DISCONNECTED:
                    if closed := line.connections.get(descriptor):
                        closed.gone = True
                    self._on_disconnected(line)

    def _on_disconnected(self, line: _Line) -> None:
        line.welcomed, line.lost = False, True
        if line.channel is Channel.BULK:
            self._pulls.donor_gone(line.neighbor, time.monotonic())
        else:  # a paused neighbor keeps its bulk connection, and answers no heartbeat
            self._pulls.donor_silent(line.neighbor, time.monotonic())
            self._messenger.tell(events.Lost(line.neighbor))

    def _close_line(self, line: _Line, linger_ms: int) -> None:
        for connection in line.connections.values():
            connection.gone = True
        if self._io:
            self._io.forget(line.monitor)
            self._io.forget(line.socket)
        line.socket.disable_monitor()  # before term(), or it hangs
        line.monitor.close(linger=0)
        line.socket.close(linger=linger_ms)

    def _on_dealer(self, line: _Line, flags: int) -> None:
        if flags & zmq.POLLOUT and self._greet(line):
            assert self._io is not None
            line.greeted_s = time.monotonic()
            self._io.listen(line.socket, partial(self._on_dealer, line))
        if not flags & zmq.POLLIN:
            return
        for _ in range(MESSAGES_PER_TURN):
            try:
                frames = receive(line.socket)
            except zmq.Again:
                return
            self._on_monitor(line, 0)  # a connection's opening is reported before its messages
            connection = line.connections.get(descriptor_of(frames[0]), line.now)
            assert connection is not None
            with contextlib.suppress(WireError):  # counted, dropped
                message = self._messenger.read(connection, line.neighbor, frames)
                handle = partial(self._hear, line)
                self._messenger.hand_in(connection, line.neighbor, message, handle)

    # -- messages ------------------------------------------------------------------------

    def _hear(self, line: _Line, message: Message) -> None:
        neighbor = line.neighbor
        # A message fault may have delayed it.
        if self._lines.get((neighbor, line.channel)) is not line:
            self._messenger.reject(neighbor, "stale", "by a connection that was replaced")
            return
        if isinstance(message, Refuse):
            line.greeted_s = math.inf  # the Hello was answered
        match message, line.channel:
            case Welcome(), Channel.CONTROL:
                line.welcomed, line.lost = True, False
                self._gone.discard(neighbor)
                self._pulls.donor_back(neighbor)
                self._messenger.tell(events.Welcomed(neighbor))
            case Welcome(), Channel.BULK:
                known, line.welcomed, line.lost = line.welcomed, True, False
                if not known:
                    self._pulls.open(neighbor, time.monotonic())
            case Refuse(reason), Channel.CONTROL:
                self._messenger.tell(events.Left(neighbor, f"refused us: {reason}"))
            case Refuse(reason), Channel.BULK:
                line.welcomed = False
                self._pulls.lose(neighbor, f"refused us: {reason}", time.monotonic())
            case MaskAnnounce(), Channel.CONTROL:
                self._hear_mask(line, message)
            case ((RelayedMask() | MaskDigest()), Channel.CONTROL):
                self._messenger.tell(events.RelayHeard(neighbor, message))
            case Bye(round_index), Channel.CONTROL:
                reason = f"{records.SAID_BYE}{round_index}"
                self._messenger.tell(events.Left(neighbor, reason, for_good=True))
            case ((WeightsOffer() | Chunk() | Unavailable() | Busy()), Channel.BULK):
                if not self._pulls.receive(neighbor, message, time.monotonic()):
                    reason = f"{type(message).__name__} of an ended pull"
                    self._messenger.reject(neighbor, "stale", reason)
            case _:
                self._messenger.reject(neighbor, "unexpected", type(message).__name__)

    def _hear_mask(self, line: _Line, message: MaskAnnounce) -> None:
        try:
            announced = self._masks.decode(line.neighbor, message)
        except BaseMissing as error:
            self._messenger.reject(line.neighbor, "baseless", str(error))
            self._send(line, MaskRequest(message.round_index))
        except WireError as error:
            self._messenger.reject(line.neighbor, "malformed", str(error))
        else:
            self._messenger.tell(events.MaskHeard(line.neighbor, announced, time.monotonic()))

    def _greet(self, line: _Line) -> bool:
        """Say Hello; to a peer that does not know this peer's key, first show whose it is."""
        if line.neighbor in self._met and self._me.keys and self.introduction:
            self._send(line, self.introduction)
        return self._send(line, self._me.identity.hello(line.channel))

    def _ask(self, donor: str, request: Message) -> bool:
        line = self._lines[donor, Channel.BULK]
        return line.welcomed and self._send(line, request)  # a new connection begins with a Hello

    def _send(self, line: _Line, message: Message) -> bool:
        if line.now is None:
            return False
        return self._messenger.send(Outlet(line.neighbor, line.socket, line.now), message)


def _pause_s(denials: int) -> float:
    """Return how long to wait after one more denial, as ZeroMQ does after other failures."""
    return float(min(RECONNECT_MS << min(denials, 10), RECONNECT_MOST_MS)) / 1000
