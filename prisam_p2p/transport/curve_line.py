"""The encrypted line between the launcher and a host agent: ZeroMQ over TCP, with CURVE.

The launcher has one ROUTER for all agents, an agent one DEALER. The launcher knows each agent's
public key from the engine that started it, and lets nobody else in; what an agent says of itself is
never believed. The agent knows the launcher's public key. Secret keys are made here and stay in
memory.

A line that breaks is not mended: nobody knows what was on its way. So no heartbeat ends it where
TCP would bring everything later; whether an agent may go on is for its lease to say.

Both ends are for one thread, wait for nothing but in `wait`, and hold few messages: a file is sent
in parts, each when the one before was taken.
"""

from __future__ import annotations

import os
import selectors
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import zmq
from zmq.utils import z85

from prisam_p2p.transport.sockets import Context, Socket, news, readable
from prisam_p2p.transport.zap import why

LARGEST_FRAME = 1 << 24
"""Bytes; a longer one ends its sender's line. A spec with 100,000 images has 1 MB."""

_QUEUED = 64
"""Messages that wait in a socket, a way and host."""

_ZAP = "inproc://zeromq.zap.01"


_MOST_KNOCKS = 1000
_UNKNOWN_KEY = ("unknown-key", "a key that is no agent's")

NO_ADDRESS = "an address that is not known"
"""Of a client that does not get so far that its key is seen."""


@dataclass(frozen=True)
class Stranger:
    """A client that was refused: where it is, and why.

    Attributes:
        address: IP address, or NO_ADDRESS.
        verdict, reason: as of a neighbor's ROUTER (zap.py).
    """

    address: str
    verdict: str
    reason: str


@dataclass
class LineTraffic:
    """Bytes of the messages of a line, without what ZeroMQ, CURVE and TCP add to them."""

    sent: int = 0
    received: int = 0


class _LineEnd:
    """One end: a socket, and others that tell of it.

    A selector may wait for it, too (`fileno`), once `receive` has returned None. ZeroMQ's own
    descriptor tells only that something has changed, and sending takes note of that as well: what
    has come by then is told by a pipe.
    """

    def __init__(self, kind: int) -> None:
        public, secret = zmq.curve_keypair()
        self.public_key = public.decode()
        self._context: Context = zmq.Context()
        self._socket: Socket = self._context.socket(kind)
        self._socket.set(zmq.CURVE_PUBLICKEY, public)
        self._socket.set(zmq.CURVE_SECRETKEY, secret)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.MAXMSGSIZE, LARGEST_FRAME)
        self._socket.set(zmq.SNDHWM, _QUEUED)
        self._socket.set(zmq.RCVHWM, _QUEUED)
        self._selector = selectors.DefaultSelector()
        self._watch(self._socket)
        self._told, self._tell = os.pipe()
        for each in (self._told, self._tell):
            os.set_blocking(each, False)
        self._selector.register(self._told, selectors.EVENT_READ)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when `receive` may have something."""
        return self._selector.fileno()

    def wait(self, timeout_s: float, descriptors: Sequence[int] = ()) -> set[int]:
        """Wait until a message can be received, or a descriptor read; return those descriptors."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno(), selectors.EVENT_READ)
            for each in descriptors:
                selector.register(each, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(0 if self._has_news() else timeout_s)}
        return ready - {self.fileno()}

    def close(self) -> None:
        """Close the line; what was not sent yet is lost."""
        self._selector.close()
        self._context.destroy(linger=0)
        os.close(self._told)
        os.close(self._tell)

    def _send(self, frames: Sequence[bytes]) -> bool:
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return False
        finally:
            if self._has_news():
                with suppress(BlockingIOError):
                    os.write(self._tell, b"x")
        return True

    def _is_empty(self) -> bool:
        """Tell whether there is no message; if so, `fileno` tells of the next one."""
        if readable(self._socket):
            return False
        with suppress(BlockingIOError):
            os.read(self._told, 4096)
        return not readable(self._socket)

    def _watch(self, socket: Socket) -> None:
        self._selector.register(int(socket.get(zmq.FD)), selectors.EVENT_READ)

    def _has_news(self) -> bool:
        return readable(self._socket)


@dataclass(frozen=True)
class _Knock:
    """A client that asks to be let in.

    Attributes:
        client: its own id at the gate; `request` is to be named in the answer.
        address: IP address.
        key: public key, whose secret key it has; b"" where it speaks no CURVE.
    """

    client: bytes
    request: bytes
    address: str
    key: bytes


class LineClient(_LineEnd):
    """An agent's end.

    Attributes:
        public_key: of a pair that is made here, Z85 text.
        is_up: whether the launcher has let it in.
        ended: whether the line was up and is no more, for good.
        bytes: of the messages so far.
    """

    def __init__(self) -> None:
        super().__init__(zmq.DEALER)
        self.is_up = self.ended = False
        self.bytes = LineTraffic()
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self._watch(self._monitor)

    def connect(self, address: str, port: int, server_key: str) -> None:
        """Connect to the launcher that has the secret key of `server_key`, and to no other.

        It is tried again and again until the launcher is there and knows this client's key.
        """
        self._socket.set(zmq.CURVE_SERVERKEY, server_key.encode())
        self._socket.set(zmq.CONNECT_TIMEOUT, 1000)  # ms, as the next
        self._socket.set(zmq.RECONNECT_IVL, 50)
        self._socket.connect(f"tcp://{address}:{port}")

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send a message now; return False, and send nothing, while too many wait to be sent."""
        if not self._send(frames):
            return False
        self.bytes.sent += sum(map(len, frames))
        return True

    def receive(self) -> list[bytes] | None:
        """Return the next message, None where there is none now; never waits."""
        self._look()
        if self._is_empty():
            return None
        frames = self._socket.recv_multipart()
        self.bytes.received += sum(map(len, frames))
        return frames

    def _look(self) -> None:
        for event, _ in news(self._monitor):
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_up = True
            elif self.is_up:
                self.ended = True

    def _has_news(self) -> bool:
        return readable(self._socket) or readable(self._monitor)


class LineServer(_LineEnd):
    """The launcher's end of all agents' lines.

    Args:
        address: IP address that it listens at; the system chooses the port.
        hosts: whose agents are expected. One that comes before its key is known waits to be let in
            or refused until the keys of all are.

    Attributes:
        public_key: of a pair that is made here, Z85 text.
        port: where it listens.
        bytes: host -> of the messages so far.
        strangers: clients that were refused -> how often. One without encryption may see first
            that the line has it, and hang up by itself: it is not counted.
    """

    def __init__(self, address: str, hosts: Collection[str]) -> None:
        super().__init__(zmq.ROUTER)
        self.bytes = {host: LineTraffic() for host in hosts}
        self.strangers: Counter[Stranger] = Counter()
        self._expected = set(hosts)
        self._hosts: dict[bytes, str] = {}  # public key -> host
        self._ids: dict[str, bytes] = {}
        self._knocks: list[_Knock] = []
        self._gate: Socket = self._context.socket(zmq.ROUTER)
        self._gate.bind(_ZAP)  # before the line's ROUTER, which asks it
        self._watch(self._gate)
        self._socket.set(zmq.CURVE_SERVER, 1)
        self._socket.set(zmq.ZAP_DOMAIN, b"prisam")  # with one, the gate must accept each client
        self._socket.set(zmq.ROUTER_MANDATORY, 1)  # else a message for a full queue is lost
        self._failures = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
        self._watch(self._failures)
        self._socket.bind(f"tcp://{address}:0")
        self.port = int(self._socket.get_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])

    def admit(self, host: str, public_key: str) -> None:
        """Let the agent of an expected host in by this key."""
        self._hosts[z85.decode(public_key)] = host
        self._expected.discard(host)
        self._answer()

    def shut_out(self, host: str) -> None:
        """Hear and let in a host no more."""
        self._hosts = {key: each for key, each in self._hosts.items() if each != host}

    def send(self, host: str, frames: Sequence[bytes]) -> bool:
        """Send a message now; return False, and send nothing, while too many wait to be sent.

        What is sent to a host that has not spoken yet waits, too; to one whose line has ended, it
        is lost.
        """
        if host not in self._ids:
            return False
        try:
            if not self._send([self._ids[host], *frames]):
                return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
        self.bytes[host].sent += sum(map(len, frames))
        return True

    def receive(self) -> tuple[str, list[bytes]] | None:
        """Return the next message and the host whose key it came by; None where there is none now.

        Never waits. Clients that knock meanwhile are answered.
        """
        while True:
            self._answer()
            if self._is_empty():
                return None
            first, *rest = self._socket.recv_multipart(copy=False)
            user = str(rest[0].get("User-Id")) if rest else ""
            host = self._hosts.get(z85.decode(user), "") if user else ""
            # A second connection by the same key: messages before it may be lost.
            if not host or self._ids.setdefault(host, first.bytes) != first.bytes:
                continue
            frames = [frame.bytes for frame in rest]
            self.bytes[host].received += sum(map(len, frames))
            return host, frames

    def _answer(self) -> None:
        """Let agents in, and refuse strangers (https://rfc.zeromq.org/spec/27/)."""
        for _, error in news(self._failures):
            self.strangers[Stranger(NO_ADDRESS, *why(error))] += 1
        while readable(self._gate):
            client, _, _version, request, _domain, address, _id, mechanism, *keys = (
                self._gate.recv_multipart()
            )
            key = keys[0] if mechanism == b"CURVE" else b""
            self._knocks.append(_Knock(client, request, address.decode(), key))
        knocks, self._knocks = self._knocks, []
        for each in knocks:
            if each.key in self._hosts:
                self._reply(each, b"200", z85.encode(each.key))
            elif self._expected and each.key and len(self._knocks) < _MOST_KNOCKS:
                self._knocks.append(each)
            else:
                self.strangers[Stranger(each.address, *_UNKNOWN_KEY)] += 1
                self._reply(each, b"400", b"")

    def _reply(self, knock: _Knock, status: bytes, user: bytes) -> None:
        answer = [b"1.0", knock.request, status, b"", user, b""]
        self._gate.send_multipart([knock.client, b"", *answer])

    def _has_news(self) -> bool:
        return any(map(readable, (self._socket, self._gate, self._failures)))
