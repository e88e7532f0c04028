"""Real transports of one process on loopback, and raw ZeroMQ sockets that are no peers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from queue import Empty

import numpy as np
import psutil
import pytest
import zmq
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.measure.traffic import KINDS
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.codec import decode, encode
from prisam_p2p.wire.mask_coding import RoundMask, coded
from prisam_p2p.wire.messages import (
    Channel,
    Hello,
    WireDtype,
)

DEADLINE_S = 30
CHUNK = 16 * 1024
LAYOUT = one_layer(channels=128, inputs=150)  # 80 kB dense: four chunks and a part
WEIGHTS = random_weights(LAYOUT)
W0, RUN = b"w" * 16, b"run-id-8"
COUNTS = ("messages", "payload", "header", "framing", "segments")
NO_REASON_TO_WAIT_S = 10 * DEADLINE_S
SLOW = Rates(up_bytes_s=200_000.0)  # 80 kB take 0.4 s


def identity(peer, incarnation=0):
    return Identity(RUN, peer, incarnation, W0, LAYOUT.digest)


def greeting(peer, channel=Channel.CONTROL, **changes):
    return replace(identity(peer).hello(channel), **changes)


def mask_of(round_index, seed=0):
    bits = np.random.default_rng(seed).random(LAYOUT.n_bits) < 0.5
    return RoundMask(round_index, PackedMask.pack(bits))


def whole(announced):
    """Return the message with all bits of a mask."""
    return coded(announced, None)


def flipped(announced, *bits):
    """Return the next round's mask: this one with these bits flipped."""
    array = announced.mask.unpack()
    array[list(bits)] ^= True
    return RoundMask(announced.round_index + 1, PackedMask.pack(array))


class End:
    """A transport and the events that it told."""

    def __init__(
        self,
        peer,
        neighbors,
        *,
        incarnation=0,
        rates=None,
        timeout_s=None,
        least_bytes_s=0,
        resume_s=0,
        serve_at_once=8,
        heartbeat_s=1.0,
        keys=None,
        address="",
        port=0,
    ):
        """With an address, the end shares it with others; else it has one of its own."""
        self.connections, self.counts = [], {}
        self.peer, self.address = peer, address or f"127.1.0.{ord(peer) - ord('a') + 1}"
        self.inbox, self.told = Inbox(), deque()
        where = (self.address, neighbors, port)
        self.transport = Transport(
            LocalPeer(identity(peer, incarnation), *where, keys, shared_address=bool(address)),
            LAYOUT,
            self.inbox,
            TransportSettings(
                CHUNK,
                Patience(timeout_s or NO_REASON_TO_WAIT_S, least_bytes_s, resume_s),
                rates or Rates(),
                serve_at_once,
                heartbeat_s=heartbeat_s,
            ),
            self.connections.append,
        )
        self.endpoint = (self.address, self.transport.port)
        self.messenger = self.transport._server._messenger

    def wait(self, kind, **fields):
        """Return the first event of this kind and with these fields, once each."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for event in self.told:
                if isinstance(event, kind) and fields.items() <= _fields(event).items():
                    self.told.remove(event)
                    return event
            try:
                event = self.inbox.get(deadline - time.monotonic())
            except Empty:
                pytest.fail(f"{self.peer} was not told {kind.__name__} {fields}, but {self.told}")
            assert not isinstance(event, events.Broken), event.error
            self._read(event)

    def heard_of(self, kind):
        """Return all events of this kind that came so far and were not waited for."""
        with contextlib.suppress(Empty):
            while True:
                self._read(self.inbox.get(0))
        return [event for event in self.told if isinstance(event, kind)]

    def _read(self, event):
        n = self.transport.take_rejected(event) if isinstance(event, events.MessageRejected) else 1
        self.told.extend([event] * n)

    def announce(self, round_index, weights=WEIGHTS, dtype=WireDtype.FLOAT32, mask=None):
        announced = mask or mask_of(round_index)
        self.transport.announce(announced, snapshot_of(LAYOUT, round_index, weights, dtype))
        return announced

    def wait_for_bytes(self, donor, n_bytes):
        """Return once `n_bytes` of the pull from `donor` are here."""
        deadline, pulls = time.monotonic() + DEADLINE_S, self.transport._client._pulls
        while time.monotonic() < deadline:
            state = pulls._underway.get(donor)
            assert not self.heard_of(events.PullDone), "over before it could be looked at"
            if state and state.pull.fetched_bytes >= n_bytes:
                return
        pytest.fail(f"fewer than {n_bytes} bytes of {donor}")

    def traffic(self, direction, neighbor):
        """Return kind -> (messages, payload, header) with one neighbor."""
        theirs = {c.connection for c in self.connections if c.neighbor == neighbor}
        sums = dict.fromkeys(KINDS, (0, 0, 0))
        self.counts |= {tuple(row[:4]): row[4:] for row in self.transport.traffic()}
        for (connection, way, kind, _round), counts in self.counts.items():
            if connection in theirs and way == direction:
                sums[kind] = tuple(a + b for a, b in zip(sums[kind], counts[:3], strict=True))
        return sums

    def by_connection(self, direction):
        """Return (client, server, kind, what is counted) -> how many, over all rounds."""
        ends = {c.connection: (c.client, c.server) for c in self.connections}
        sums = Counter()
        self.counts |= {tuple(row[:4]): row[4:] for row in self.transport.traffic()}
        for (connection, way, kind, _round), counts in self.counts.items():
            if way == direction:
                for name, n in zip(COUNTS, counts, strict=True):
                    sums[*ends[connection], kind, name] += n
        return sums


def _fields(event):
    return {name: getattr(event, name) for name in event.__slots__}


class Raw:
    """A bare ZeroMQ socket: a DEALER to an end's ROUTER, or a ROUTER for an end to connect to.

    As a ROUTER it calls a's connections "c:a" and "b:a", by the Hello that came last.
    """

    def __init__(self, socket):
        self.socket = socket
        self._ids, self._names = {}, {}

    def connect(self, to):
        self.socket.connect(f"tcp://{to.address}:{to.transport.port}")

    def bind(self, address):
        return address, self.socket.bind_to_random_port(f"tcp://{address}")

    def send(self, *parts):
        """Send messages and bare frames as one multipart."""
        parts = [self._ids.get(part, part) if isinstance(part, str) else part for part in parts]
        frames = [encode(p) if not isinstance(p, bytes) else [p] for p in parts]
        self.socket.send_multipart([frame for part in frames for frame in part])

    def frames(self):
        assert self.socket.poll(DEADLINE_S * 1000), "no answer"
        return self.socket.recv_multipart()

    def answer(self):
        return decode(self.frames())

    def asked(self):
        """Return (sender, request), as a ROUTER."""
        sender, *frames = self.frames()
        message = decode(frames)
        if isinstance(message, Hello):
            name = f"{message.channel.name[0].lower()}:{message.peer_id}"
            self._ids[name], self._names[sender] = sender, name
        return self._names[sender], message

    def asked_by(self, sender):
        """Return the next request of `sender`, as a ROUTER; requests of others are skipped."""
        while True:
            who, message = self.asked()
            if who == sender:
                return message


class Proxy:
    """A TCP connection that can be cut: what comes in goes to `to`, and back."""

    def __init__(self, to):
        self._to, self._sockets = to, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = self._listening.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                other = socket.create_connection(self._to)
                self._sockets += [one, other]
                for source, sink in ((one, other), (other, one)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """End all connections; new ones are let through."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for each in self._sockets:
            each.close()


class Net:
    def __init__(self, stack):
        self._stack = stack
        self._context = stack.enter_context(zmq.Context())

    def end(self, *args, **kwargs):
        end = End(*args, **kwargs)
        self._stack.callback(end.transport.close)
        return end

    def pair(self, **kwargs):
        """Return a and b, connected both ways."""
        return self.mesh("ab", **kwargs)

    def mesh(self, peers, **kwargs):
        ends = [self.end(p, [q for q in peers if q != p], **kwargs) for p in peers]
        for end in ends:
            end.transport.connect({e.peer: e.endpoint for e in ends if e is not end})
        for end in ends:
            for other in ends:
                if other is not end:
                    end.wait(events.Welcomed, neighbor=other.peer)
                    end.wait(events.Joined, neighbor=other.peer)
        return ends

    def raw(self, kind=zmq.DEALER):
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        self._stack.callback(socket.close)
        return Raw(socket)

    def stranger(self, to, routing_id=None):
        raw = self.raw()
        if routing_id:
            raw.socket.set(zmq.ROUTING_ID, routing_id)
        raw.connect(to)
        return raw

    def proxy(self, to):
        proxy = Proxy(to)
        self._stack.callback(proxy.close)
        return proxy


def through_a_proxy(net, *, a=None, b=None):
    """Return a and b, connected, and the proxy that stands before b."""
    a, b = net.end("a", ["b"], **a or {}), net.end("b", ["a"], **b or {})
    proxy = net.proxy(b.endpoint)
    a.transport.connect({"b": proxy.endpoint})
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    return a, b, proxy


def alone_with_b(net):
    """Return a and b, connected, where c would be a's neighbor too but is not there."""
    a, b = net.end("a", ["b", "c"]), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint, "c": ("127.1.0.3", 9)})
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    return a, b


def still_answers(a, b):
    """Assert that a announces to, and serves, its neighbor as ever."""
    before = len(b.heard_of(events.MaskHeard))
    sent = a.announce(before)
    assert b.wait(events.MaskHeard, announced=sent).neighbor == "a"
    b.transport.pull(["a"], before)
    assert same(b.wait(events.PullDone).pull.weights(), WEIGHTS)


def wait_for_connections(end, n):
    """Wait until no more than `n` connections to `end` are open at its side."""
    deadline, me = time.monotonic() + DEADLINE_S, psutil.Process()
    while time.monotonic() < deadline:
        here = [c for c in me.net_connections("tcp") if c.laddr == end.endpoint and c.raddr]
        if len(here) <= n:
            return
    pytest.fail(f"{len(here)} connections")
