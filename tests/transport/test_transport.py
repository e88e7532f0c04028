"""Real transports of one process on loopback, and raw ZeroMQ sockets that are no peers."""

import contextlib
import gc
import re
import socket
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from queue import Empty

import msgpack
import numpy as np
import psutil
import pytest
import zmq
from tiny_layouts import one_layer, random_weights, same
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.core.layout import FLOAT16, narrow
from prisam_p2p.measure.traffic import KINDS
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.codec import decode, encode
from prisam_p2p.wire.mask_coding import Coding
from prisam_p2p.wire.messages import (
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Hello,
    MaskAnnounce,
    MaskRequest,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
    WireDtype,
)

pytestmark = pytest.mark.network

DEADLINE_S = 30
CHUNK = 16 * 1024
LAYOUT = one_layer(channels=128, inputs=150)  # 80 kB dense: four chunks and a part
WEIGHTS = random_weights(LAYOUT)
W0, RUN = b"w" * 16, b"run-id-8"
COUNTS = ("messages", "payload", "header", "framing", "segments")
NO_REASON_TO_WAIT_S = 10 * DEADLINE_S


def identity(peer, incarnation=0):
    return Identity(RUN, peer, incarnation, W0, LAYOUT.digest)


def greeting(peer, channel=Channel.CONTROL, **changes):
    return replace(identity(peer).hello(channel), **changes)


def mask_of(round_index, seed=0):
    bits = np.random.default_rng(seed).random(LAYOUT.n_bits) < 0.5
    return MaskAnnounce(round_index, LAYOUT.n_bits, pack_bits(bits))


class End:
    """A transport and what it told."""

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
    ):
        self.connections, self.counts = [], {}
        self.peer, self.address = peer, f"127.1.0.{ord(peer) - ord('a') + 1}"
        self.inbox, self.told = Inbox(), deque()
        self.transport = Transport(
            LocalPeer(identity(peer, incarnation), self.address, neighbors, keys=keys),
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
        """Return the first event, not returned before, of this kind and with these fields."""
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
        message = mask or mask_of(round_index)
        self.transport.announce(message, snapshot_of(LAYOUT, round_index, weights, dtype))
        return message

    def wait_for_bytes(self, donor, n_bytes):
        """Return once so many bytes of the pull from `donor` are here."""
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
        """Return who asks what, as a ROUTER."""
        sender, *frames = self.frames()
        message = decode(frames)
        if isinstance(message, Hello):
            name = f"{message.channel.name[0].lower()}:{message.peer_id}"
            self._ids[name], self._names[sender] = sender, name
        return self._names[sender], message

    def asked_by(self, sender):
        """Return what `sender` asks next, as a ROUTER; what others ask is passed over."""
        while True:
            who, message = self.asked()
            if who == sender:
                return message


@pytest.fixture
def net():
    with contextlib.ExitStack() as stack:
        yield Net(stack)


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


# -- hello, masks, pulls -------------------------------------------------------------------


def test_neighbors_greet_each_other(net):
    a, b = net.end("a", ["b"], incarnation=2), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    assert a.wait(events.Welcomed) == events.Welcomed("b")
    assert a.wait(events.Joined) == events.Joined("b", 0)
    assert b.wait(events.Welcomed) == events.Welcomed("a")
    assert b.wait(events.Joined) == events.Joined("a", 2)


def test_one_that_comes_later_is_found(net):
    """The ROUTER is bound at once, but nobody answers before `connect`."""
    a, b = net.end("a", ["b"]), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, [], ["b"])
    b.transport.connect({"a": a.endpoint})
    b.wait(events.Welcomed, neighbor="a")
    a.wait(events.Welcomed, neighbor="b")
    assert b.wait(events.MaskHeard) == events.MaskHeard("a", mask_of(0))


def test_a_neighbor_that_nobody_knew_at_first_is_met(net):
    a, c = net.end("a", ["b", "c"]), net.end("c", ["a"])
    a.transport.connect({"c": c.endpoint})
    c.transport.connect({"a": a.endpoint})
    a.wait(events.Joined, neighbor="c")
    sent = a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["c"], ["b"])
    b = net.end("b", ["a"])
    b.transport.connect({"a": a.endpoint})
    a.transport.meet("b", b.endpoint)
    a.wait(events.Joined, neighbor="b")
    a.wait(events.Welcomed, neighbor="b")
    assert b.wait(events.MaskHeard) == events.MaskHeard("a", sent)


def test_a_mask_reaches_every_neighbor(net):
    a, b, c = net.mesh("abc")
    sent = a.announce(4)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(4, ["b", "c"], [])
    for end in (b, c):
        assert end.wait(events.MaskHeard) == events.MaskHeard("a", sent)


def test_masks_arrive_in_order(net):
    a, b = net.pair()
    sent = [a.announce(t) for t in range(20)]
    assert [b.wait(events.MaskHeard).message for _ in sent] == sent


def test_only_neighbors_that_are_connected_are_reached(net):
    a, b, c = net.mesh("abc")
    c.transport.close()
    a.wait(events.Left, neighbor="c")
    a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["b"], ["c"])
    b.wait(events.MaskHeard, neighbor="a")


def test_weights_arrive_bit_by_bit_while_this_thread_is_busy(net):
    a, b = net.pair()
    b.announce(3)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 3)
    deadline, work = time.monotonic() + DEADLINE_S, np.ones((64, 64))
    while not a.heard_of(events.PullDone) and time.monotonic() < deadline:
        work = np.tanh(work @ work)  # nothing here answers anybody
    done = a.wait(events.PullDone)
    assert (done.pull.donor, done.pull.round_index) == ("b", 3)
    assert same(done.pull.weights(), WEIGHTS)
    assert done.pull.n_bytes > 4 * CHUNK
    assert 0 < done.wall_s < DEADLINE_S


def test_a_transfer_waits_at_its_stop_and_others_do_not(net):
    a, b, c = (net.end(p, [q for q in "abc" if q != p]) for p in "abc")
    reached = Inbox()
    a.transport.stop_transfers([(3, 0.5)], reached.put)
    for end in (a, b, c):
        end.transport.connect({e.peer: e.endpoint for e in (a, b, c) if e is not end})
    for neighbor in "bc":
        a.wait(events.Joined, neighbor=neighbor)
    a.announce(3)
    a.wait(events.AnnounceDone)
    b.transport.pull(["a"], 3)
    stop = reached.get(DEADLINE_S)
    assert (stop.requester, stop.round_index, stop.stop) == ("b", 3, (3, 0.5))
    assert stop.n_bytes / 2 - CHUNK <= stop.offset <= stop.n_bytes / 2
    c.transport.pull(["a"], 3)
    c.wait(events.PullDone)
    b.wait_for_bytes("a", stop.offset)
    assert b.transport._client._pulls._underway["a"].pull.fetched_bytes == stop.offset
    a.transport.go_on(stop.stop)
    assert same(b.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_two_donors_and_two_rounds(net):
    a, b, c = net.mesh("abc")
    weights = {
        (e.peer, t): random_weights(LAYOUT, seed=t * 2 + (e is b)) for e in (b, c) for t in (5, 6)
    }
    for (peer, t), each in weights.items():
        {"b": b, "c": c}[peer].announce(t, each)
    for end in (b, c):
        end.wait(events.AnnounceDone, round_index=6)
    for t in (6, 5):  # the one before is still offered
        a.transport.pull(["b", "c"], t)
        for _ in range(2):
            pull = a.wait(events.PullDone).pull
            assert pull.round_index == t
            assert same(pull.weights(), weights.pop((pull.donor, t)))
    assert not weights


def test_a_round_that_the_donor_does_not_hold_is_lost_at_once(net):
    a, b = net.pair()
    b.announce(3)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 4)
    lost = a.wait(events.PullLost)
    assert lost == events.PullLost("b", 4, "holds no weights of round 4, is at 3")
    a.transport.pull(["b"], 3)  # and the next pull is none the worse
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


@pytest.mark.parametrize("who", ["donor", "taker"])
def test_a_pull_takes_as_long_as_the_slower_device_needs(net, who):
    rate = 400_000.0
    slow = Rates(up_bytes_s=rate) if who == "donor" else Rates(down_bytes_s=rate)
    a = net.end("a", ["b"], rates=slow if who == "taker" else None)
    b = net.end("b", ["a"], rates=slow if who == "donor" else None)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    done = a.wait(events.PullDone)
    assert done.wall_s >= (done.pull.n_bytes - CHUNK) / rate
    up, down = b.transport.peak_mbit_s()[0], a.transport.peak_mbit_s()[1]
    mbit = done.pull.n_bytes * 8 / 1e6
    assert mbit / 3 < up <= round(mbit, 3)  # in one clock second, or in two or three
    assert mbit / 3 < down <= round(mbit, 3)
    assert a.transport.peak_mbit_s()[0] == b.transport.peak_mbit_s()[1] == 0


def test_goodbye(net):
    a, b = net.pair()
    a.transport.say_bye(7)
    assert b.wait(events.Left) == events.Left("a", "left before round 7", for_good=True)


# -- the connections -----------------------------------------------------------------------


def test_control_and_bulk_are_connections_of_their_own(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", Welcome(4))
    assert a.wait(events.Welcomed) == events.Welcomed("b")
    a.transport.pull(["b"], 2)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    router.send("b:a", Welcome(4))
    assert router.asked() == ("b:a", WeightsRequest(2))


def test_a_connection_comes_from_its_peers_own_address(net):
    """So that an address pair is a directed link, to whoever counts bytes outside."""
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.socket.poll(DEADLINE_S * 1000)
    frame = router.socket.recv_multipart(copy=False)[-1]
    assert frame.get("Peer-Address") == a.address


def test_a_second_pull_uses_the_same_connection(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    for t in (0, 1):
        a.transport.pull(["b"], t)
        if t == 0:
            assert router.asked() == ("b:a", greeting("a", Channel.BULK))
            router.send("b:a", Welcome(0))
        assert router.asked() == ("b:a", WeightsRequest(t))
        router.send("b:a", Unavailable(9))
        a.wait(events.PullLost, round_index=t)


def test_a_neighbor_that_closes_has_left(net):
    a, b = net.pair()
    b.transport.close()
    assert a.wait(events.Left) == events.Left("b", "connection closed")


def test_a_restarted_neighbor_is_welcome_and_hears_the_last_mask(net):
    a, b, c = net.mesh("abc")
    a.announce(0)
    last = a.announce(1)
    b.wait(events.MaskHeard, message=last)
    b.transport.close()
    a.wait(events.Left, neighbor="b")
    again = net.end("b", ["a", "c"], incarnation=1)
    again.transport.connect({"a": a.endpoint, "c": c.endpoint})
    assert a.wait(events.Joined) == events.Joined("b", 1)
    again.wait(events.Welcomed, neighbor="a")
    assert again.wait(events.MaskHeard) == events.MaskHeard("a", last)
    again.transport.pull(["a"], 1)
    assert same(again.wait(events.PullDone).pull.weights(), WEIGHTS)
    a.announce(2)
    assert a.wait(events.AnnounceDone, round_index=2).reached == ["b", "c"]


def test_a_successor_outlives_the_connection_that_it_took_over(net):
    """The old connection of a restarted neighbor may be noticed to be gone after the new one."""
    a = net.end("a", ["b", "c"])
    a.transport.connect({"b": ("127.1.0.2", 9), "c": ("127.1.0.3", 9)})
    old, other = net.stranger(a), net.stranger(a)
    other.send(greeting("c"))
    old.send(greeting("b"))
    a.wait(events.Joined, neighbor="c")
    a.wait(events.Joined, neighbor="b")
    new = net.stranger(a)
    new.send(greeting("b", incarnation=1))
    assert new.answer() == Welcome(0)
    assert a.wait(events.Joined, neighbor="b").incarnation == 1
    wait_for_connections(a, 2)  # it was hung up
    other.socket.close()
    a.wait(events.Left, neighbor="c")
    sent = a.announce(0)
    assert a.wait(events.AnnounceDone).reached == ["b"]
    assert new.answer() == sent
    assert a.heard_of(events.Left) == []


def pause_reading(end, sender, monkeypatch):
    """Return what lets `end` go on: it has a request of `sender` in its hand."""
    reading, read_on, read = threading.Event(), threading.Event(), end.messenger.read

    def pause(*args, **kwargs):
        reading.set()
        assert read_on.wait(DEADLINE_S)
        return read(*args, **kwargs)

    monkeypatch.setattr(end.messenger, "read", pause)
    sender.send(WeightsRequest(0))
    assert reading.wait(DEADLINE_S)
    return read_on


def wait_for_connections(end, n):
    """Wait until no more than `n` connections to `end` are open at its side."""
    deadline, me = time.monotonic() + DEADLINE_S, psutil.Process()
    while time.monotonic() < deadline:
        here = [c for c in me.net_connections("tcp") if c.laddr == end.endpoint and c.raddr]
        if len(here) <= n:
            return
    pytest.fail(f"{len(here)} connections")


def test_an_answer_to_one_that_is_gone_is_noticed(net, monkeypatch):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    b = net.stranger(a)
    b.send(greeting("b"))
    assert b.answer() == Welcome(0)
    read_on = pause_reading(a, b, monkeypatch)
    b.socket.close()
    wait_for_connections(a, 0)
    read_on.set()
    rejected = a.wait(events.MessageRejected)
    assert rejected.verdict == "unreachable"
    assert rejected.reason.startswith("Unavailable: ")
    a.wait(events.Left, neighbor="b")


def test_a_descriptor_that_is_used_again_is_not_its_last_users(net, monkeypatch):
    """A connection closes while the transport is reading, and a neighbor's gets its number."""
    a = net.end("a", ["b", "c"])
    a.transport.connect({"b": ("127.1.0.2", 9), "c": ("127.1.0.3", 9)})
    c = net.stranger(a)
    c.send(greeting("c"))
    a.wait(events.Joined, neighbor="c")
    b = net.raw()
    watch = b.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    with socket.create_connection(a.endpoint) as nobody:
        nobody.settimeout(DEADLINE_S)
        assert nobody.recv(1)  # ZeroMQ's greeting: it has a descriptor at a
        read_on = pause_reading(a, c, monkeypatch)
    wait_for_connections(a, 1)
    b.connect(a)
    assert watch.poll(DEADLINE_S * 1000)
    b.socket.disable_monitor()
    watch.close()
    b.send(greeting("b"))
    for _ in range(20):  # these are read first, or the Hello is there already
        c.send(WeightsRequest(0))
    read_on.set()
    a.wait(events.Joined, neighbor="b")
    a.announce(0)
    assert a.wait(events.AnnounceDone).reached == ["b", "c"]
    assert a.heard_of(events.Left) == []


def test_who_said_hello_and_left_before_it_was_read_is_not_there(net, monkeypatch):
    a = net.end("a", ["b", "c"])
    a.transport.connect({"b": ("127.1.0.2", 9), "c": ("127.1.0.3", 9)})
    c = net.stranger(a)
    c.send(greeting("c"))
    a.wait(events.Joined, neighbor="c")
    b = net.stranger(a)
    b.send(WeightsRequest(0))
    assert b.answer() == Refuse("say hello first")
    read_on = pause_reading(a, c, monkeypatch)
    b.socket.set(zmq.LINGER, DEADLINE_S * 1000)
    b.send(greeting("b"))
    b.socket.close()
    wait_for_connections(a, 1)
    read_on.set()
    hellos, deadline = {}, time.monotonic() + DEADLINE_S
    while len(hellos) < 2 and time.monotonic() < deadline:
        hellos |= {row[0]: row[4] for row in a.transport.traffic() if row[1:3] == ["in", "hello"]}
    c.send(WeightsRequest(0))  # and what follows on its Hello is over
    assert [c.answer() for _ in range(3)] == [Welcome(0), Unavailable(0), Unavailable(0)]
    assert a.heard_of((events.Joined, events.Left)) == []
    a.announce(0)
    assert a.wait(events.AnnounceDone).reached == ["c"]
    a.transport.close()
    assert hellos == {c.connection: 1 for c in a.connections}
    assert all(c.client.startswith("127.") for c in a.connections)


def test_an_older_process_of_a_neighbor_is_refused_while_a_later_one_is_here(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    new, old = net.stranger(a), net.stranger(a)
    new.send(greeting("b", incarnation=2))
    assert new.answer() == Welcome(0)
    old.send(greeting("b", incarnation=1))
    assert old.answer() == Refuse("a later process of b is here")
    sent = a.announce(0)
    assert new.answer() == sent
    new.socket.close()
    a.wait(events.Left, neighbor="b")
    old.send(greeting("b", incarnation=1))
    assert old.answer() == Welcome(0)


def test_a_connection_speaks_for_one_channel(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    b = net.stranger(a)
    for channel in (Channel.BULK, Channel.CONTROL):
        b.send(greeting("b", channel))
    assert b.answer() == Welcome(0)
    assert b.answer() == Refuse("this connection is b's, for bulk")
    b.send(WeightsRequest(0))  # it is as known as before
    assert b.answer() == Unavailable(0)


def test_what_a_connection_that_was_taken_over_still_says_does_not_count(net, monkeypatch):
    """Not as a stranger's either: a neighbor whose connection was cut said it in good faith."""
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    old, new = net.stranger(a), net.stranger(a)
    old.send(greeting("b"))
    assert old.answer() == Welcome(0)
    read_on = pause_reading(a, old, monkeypatch)
    for _ in range(60):
        old.send(MaskRequest(0))
    new.send(greeting("b"))
    read_on.set()
    assert new.answer() == Welcome(0)
    wait_for_connections(a, 1)
    new.send(WeightsRequest(0))
    assert new.answer() == Unavailable(0)
    assert a.heard_of((events.MessageRejected, events.Left)) == []


def test_a_control_connection_that_was_cut_greets_again(net):
    a, b = net.end("a", ["b"]), net.end("b", ["a"])
    proxy = net.proxy(a.endpoint)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": proxy.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    for t in range(3):
        proxy.cut()
        a.wait(events.Left, neighbor="b")
        a.wait(events.Joined, neighbor="b")
        sent = a.announce(t)
        b.wait(events.MaskHeard, message=sent)


def test_a_bulk_connection_that_was_cut_serves_the_next_pull(net):
    a, b = net.end("a", ["b"]), net.end("b", ["a"])
    proxy = net.proxy(b.endpoint)
    a.transport.connect({"b": proxy.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    for _ in range(3):
        a.transport.pull(["b"], 0)
        assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
        proxy.cut()
        a.wait(events.Welcomed)  # control is back; bulk comes back when it is needed, or before


def test_a_pull_whose_connection_is_cut_is_lost(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], timeout_s=0.5)
    proxy = net.proxy(router.bind("127.1.0.2"))
    a.transport.connect({"b": proxy.endpoint})
    assert router.asked() == ("c:a", greeting("a"))
    a.transport.pull(["b"], 0)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    router.send("b:a", Welcome(0))
    assert router.asked() == ("b:a", WeightsRequest(0))
    router.send("b:a", snapshot_of(LAYOUT, 0, WEIGHTS).offer)
    assert [router.asked()[1].offset // CHUNK for _ in range(4)] == [0, 1, 2, 3]
    proxy.cut()
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "connection closed")


# -- pulls that go on --------------------------------------------------------------------------


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


SLOW = Rates(up_bytes_s=200_000.0)  # 80 kB take 0.4 s


@pytest.mark.parametrize("n_cuts", [1, 3])
def test_a_pull_that_is_cut_in_the_middle_fetches_nothing_twice(net, n_cuts):
    a, b, proxy = through_a_proxy(net, a={"resume_s": DEADLINE_S}, b={"rates": SLOW})
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    for i in range(n_cuts):
        a.wait_for_bytes("b", (1 + i) * CHUNK)
        proxy.cut()
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), WEIGHTS)
    assert pull.fetched_bytes == pull.n_bytes
    assert a.heard_of(events.PullLost) == []
    a.transport.close()
    assert a.traffic("in", "b")["weights"][1] == pull.n_bytes
    bulk = [c for c in a.connections if (c.side, c.channel) == ("client", "bulk")]
    assert len(bulk) == n_cuts + 1


def answer_chunks(router, snapshot, begin, n):
    """Answer `n` chunk requests, the first of them for chunk `begin`, as b to a."""
    for i in range(begin, begin + n):
        asked = router.asked_by("b:a")
        assert (asked.digest, asked.offset) == (snapshot.offer.digest, i * CHUNK)
        data = snapshot.buffer[asked.offset : asked.offset + asked.length]
        router.send("b:a", Chunk(asked.digest, asked.offset, data))


@pytest.mark.parametrize(("seed", "resumed_at"), [(0, 2), (1, 0)], ids=["same", "changed"])
def test_a_pull_goes_on_where_it_was_if_the_offer_is_the_same(net, seed, resumed_at):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], resume_s=DEADLINE_S)
    proxy = net.proxy(router.bind("127.1.0.2"))
    a.transport.connect({"b": proxy.endpoint})
    a.transport.pull(["b"], 0)
    before, after = (snapshot_of(LAYOUT, 0, random_weights(LAYOUT, s)) for s in (0, seed))
    n_chunks = -(-len(after.buffer) // CHUNK)
    for snapshot, begin, n in ((before, 0, 2), (after, resumed_at, n_chunks - resumed_at)):
        assert router.asked_by("b:a") == greeting("a", Channel.BULK)
        router.send("b:a", Welcome(0))
        assert router.asked_by("b:a") == WeightsRequest(0)
        router.send("b:a", snapshot.offer)
        answer_chunks(router, snapshot, begin, n)
        if snapshot is before:
            for _ in range(n_chunks - 2):
                assert isinstance(router.asked_by("b:a"), ChunkRequest)  # not answered any more
            a.wait_for_bytes("b", 2 * CHUNK)
            proxy.cut()
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), random_weights(LAYOUT, seed))
    assert pull.fetched_bytes == pull.n_bytes + (2 - resumed_at) * CHUNK


def test_a_donor_that_does_not_come_back_is_given_up(net):
    a, b = net.pair(rates=SLOW, resume_s=0.3)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    began = time.monotonic()
    b.transport.close()
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "connection closed")
    assert time.monotonic() - began >= 0.1


def test_a_pull_outlives_the_connection_that_its_donor_opened(net):
    """Only the donor's own connection to us is cut; its answers come by ours."""
    a, b = net.end("a", ["b"], resume_s=0), net.end("b", ["a"], rates=SLOW)
    proxy = net.proxy(a.endpoint)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": proxy.endpoint})
    a.wait(events.Joined)
    b.announce(0)
    a.wait(events.MaskHeard)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    proxy.cut()
    a.wait(events.Left, neighbor="b")
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_a_given_up_pull_leaves_nothing_to_the_next(net):
    """The donor still owes chunks of the same snapshot when the next pull begins."""
    a, b = net.pair(rates=SLOW)
    b.announce(0)
    b.wait(events.AnnounceDone)
    for _ in range(3):
        a.transport.pull(["b"], 0)
        a.wait_for_bytes("b", CHUNK)
        a.transport.end_pulls("enough")
        assert a.wait(events.PullLost).reason == "enough"
    a.transport.pull(["b"], 0)
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


@pytest.mark.parametrize("noticed", [True, False])
def test_what_was_asked_on_another_connection_is_not_answered_on_this(net, noticed):
    """Chunks between may have gone with the connection: what is left would not fit on."""
    a = net.end("a", ["c"], rates=Rates(up_bytes_s=100_000.0))
    a.transport.connect({"c": ("127.1.0.3", 9)})
    a.announce(0)
    a.wait(events.AnnounceDone)
    old, digest = net.stranger(a), snapshot_of(LAYOUT, 0, WEIGHTS).offer.digest
    old.send(greeting("c", Channel.BULK))
    assert old.answer() == Welcome(0)
    for i in range(4):
        old.send(ChunkRequest(digest, i * CHUNK, CHUNK))
    assert old.answer().offset == 0
    if noticed:
        old.socket.close()
        wait_for_connections(a, 0)
    new = net.stranger(a)
    new.send(greeting("c", Channel.BULK))
    assert new.answer() == Welcome(0)
    new.send(ChunkRequest(digest, 2 * CHUNK, CHUNK))
    assert new.answer().offset == 2 * CHUNK
    assert a.heard_of(events.MessageRejected) == []


def test_more_requesters_than_places_are_all_served(net):
    a, *others = net.mesh("abcde", rates=SLOW, serve_at_once=1)
    a.announce(0)
    a.wait(events.AnnounceDone)
    for end in others:
        end.transport.pull(["a"], 0)
    for end in others:
        assert same(end.wait(events.PullDone).pull.weights(), WEIGHTS)
    for end in others:
        end.transport.close()
    busy = [end.traffic("in", "a")["control"][0] for end in others]
    assert busy.count(0) <= 1  # only the first was served when it came


def test_places_are_of_the_donor_not_of_the_requester(net):
    """A requester may pull from many that serve one each."""
    a, *others = net.mesh("abcd", serve_at_once=1)
    for end in others:
        end.announce(0)
        end.wait(events.AnnounceDone)
    a.transport.pull([end.peer for end in others], 0)
    for _ in others:
        assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
    a.transport.close()
    assert [a.traffic("in", end.peer)["control"][0] for end in others] == [0, 0, 0]


# -- less than the whole snapshot ------------------------------------------------------------


def test_only_what_both_keep_is_fetched(net):
    a, b = net.pair()
    kept, wanted = np.arange(128) % 2 == 0, np.arange(128) % 3 == 0
    weights = random_weights(LAYOUT, mask=kept)
    b.announce(0, weights)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0, wanted)
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), narrow(LAYOUT, weights, kept & wanted))
    assert pull.fetched_bytes == LAYOUT.n_bytes(kept & wanted) < LAYOUT.n_bytes(kept) / 2
    a.transport.pull(["b"], 0)
    assert same(a.wait(events.PullDone).pull.weights(), weights)


def test_weights_in_half_the_width(net):
    a, b = net.pair()
    b.announce(0, dtype=WireDtype.FLOAT16)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    pull = a.wait(events.PullDone).pull
    assert pull.fetched_bytes == LAYOUT.n_bytes(LAYOUT.full_mask(), FLOAT16)
    for name, array in pull.weights().tensors.items():
        np.testing.assert_allclose(array, WEIGHTS.tensors[name], rtol=1e-3, atol=2.0**-25)


def test_what_did_not_change_is_not_fetched_twice(net):
    a, b = net.pair()
    fetched = []
    for t, weights in enumerate([WEIGHTS, WEIGHTS, random_weights(LAYOUT, seed=1)]):
        b.announce(t, weights)
        b.wait(events.AnnounceDone)
        a.transport.pull(["b"], t)
        pull = a.wait(events.PullDone).pull
        assert same(pull.weights(), weights)
        fetched.append(pull.fetched_bytes)
        a.transport.keep(pull)
    assert fetched == [pull.n_bytes, 0, pull.n_bytes]
    a.transport.close()
    assert a.traffic("in", "b")["weights"][1] == 2 * pull.n_bytes


# -- masks as changes ------------------------------------------------------------------------


def flipped(mask, *bits):
    """Return the next round's mask: `mask` with these bits flipped."""
    array = unpack_bits(mask.bits, mask.n_bits)
    array[list(bits)] ^= True
    return MaskAnnounce(mask.round_index + 1, mask.n_bits, pack_bits(array))


def test_masks_after_the_first_go_as_changes_and_arrive_whole(net):
    a, b, c = net.mesh("abc")
    masks = [mask_of(0)]
    for bits in ((127,), (), (0, 100), (127,)):
        masks.append(flipped(masks[-1], *bits))
    for mask in masks:
        a.announce(mask.round_index, mask=mask)
    for end in (b, c):
        assert [end.wait(events.MaskHeard).message for _ in masks] == masks
        messages, payload, _ = end.traffic("in", "a")["mask"]
        assert messages == len(masks)
        assert payload == 16 + 1 + 0 + 2 + 1  # the first whole, then as many as the changes take
        assert end.heard_of(events.MessageRejected) == []


def test_a_neighbor_whose_connection_was_cut_gets_the_next_mask_whole(net):
    a, b, proxy = through_a_proxy(net)
    b.announce(0)
    a.wait(events.MaskHeard)
    proxy.cut()
    assert a.wait(events.MaskHeard).message == mask_of(0)
    before = a.traffic("in", "b")["mask"][1]
    sent = flipped(mask_of(0), 5)
    b.announce(1, mask=sent)
    assert a.wait(events.MaskHeard).message == sent
    assert (before, a.traffic("in", "b")["mask"][1]) == (2 * 16, 2 * 16 + 1)
    assert a.heard_of(events.MessageRejected) == []


def test_who_comes_back_after_a_mask_it_missed_gets_it_whole(net):
    a, _ = alone_with_b(net)
    for t, answer in enumerate([mask_of(0), flipped(mask_of(0), 3)]):
        a.announce(t, mask=answer)
        c = net.stranger(a)
        c.send(greeting("c"))
        assert [c.answer(), c.answer()] == [Welcome(0), answer]
        c.socket.close()
        a.wait(events.Left, neighbor="c")


def test_changes_to_an_unknown_mask_are_asked_for_whole(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", MaskAnnounce(7, LAYOUT.n_bits, b"\x03", Coding.CHANGES, 1, 9))
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", "baseless")
    assert router.asked() == ("c:a", MaskRequest(7))
    router.send("c:a", mask_of(7))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(7))


def test_who_asks_for_the_whole_mask_gets_it(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    c.send(greeting("c"))
    assert c.answer() == Welcome(0)
    c.send(MaskRequest(0))  # before there is one: no answer
    c.send(WeightsRequest(0))
    assert c.answer() == Unavailable(0)
    masks = [a.announce(0), a.announce(1, mask=flipped(mask_of(0), 3))]
    assert c.answer() == masks[0]
    assert c.answer().coding is Coding.CHANGES
    c.send(MaskRequest(1))
    assert c.answer() == masks[1]
    a.announce(2, mask=flipped(masks[1]))
    assert c.answer().base_gap == 1


def test_a_mask_of_unheard_of_length_is_turned_away(net):
    """Its bytes are few, but what they stand for would fill the memory."""
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", MaskAnnounce(0, 2**60, b"", Coding.DENSITY))
    rejected = events.MessageRejected("b", "malformed", f"a mask of {2**60} bits")
    assert a.wait(events.MessageRejected) == rejected
    router.send("c:a", mask_of(0))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(0))


# -- donors that do not deliver --------------------------------------------------------------


def test_a_donor_that_moves_but_too_slowly_is_given_up(net):
    a = net.end("a", ["b"], timeout_s=1.0, least_bytes_s=1e6)
    b = net.end("b", ["a"], rates=Rates(up_bytes_s=40_000.0))  # a chunk every 0.4 s
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    reason = a.wait(events.PullLost).reason
    assert re.fullmatch(r"[1-9]\d* bytes/s over 1 s", reason)


def silent_donor(net, timeout_s):
    """Return a, pulling round 0 from b that is a bare ROUTER, and the ROUTER after n steps."""
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], timeout_s=timeout_s)
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    a.transport.pull(["b"], 0)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    return a, router


@pytest.mark.parametrize("answers", [0, 1, 2, 3])
def test_a_donor_that_stops_answering_is_given_up(net, answers):
    began = time.monotonic()
    a, router = silent_donor(net, timeout_s=0.2)
    snapshot = snapshot_of(LAYOUT, 0, WEIGHTS)
    chunk = Chunk(snapshot.offer.digest, 0, snapshot.buffer[:CHUNK])
    for answer in (Welcome(0), snapshot.offer, chunk)[:answers]:
        router.send("b:a", answer)
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "no byte for 0.2 s")
    assert time.monotonic() - began >= 0.15


def test_an_absent_donor_is_given_up(net):
    a = net.end("a", ["b"], timeout_s=0.2)
    with socket.create_server(("127.1.0.2", 0)) as nobody:
        endpoint = nobody.getsockname()
    a.transport.connect({"b": endpoint})
    a.transport.pull(["b"], 0)
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "no byte for 0.2 s")


def test_a_donor_that_was_slow_once_can_be_pulled_from_again(net):
    """It answers both Hellos at last; only one pull goes on."""
    a, router = silent_donor(net, timeout_s=2.0)
    a.wait(events.PullLost)
    snapshot = snapshot_of(LAYOUT, 1, WEIGHTS)
    a.transport.pull(["b"], 1)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    for _ in range(2):
        router.send("b:a", Welcome(0))
    while not (done := a.heard_of((events.PullDone, events.PullLost))):
        if not router.socket.poll(50):
            continue
        sender, asked = router.asked()
        match asked:
            case WeightsRequest(1):
                router.send(sender, snapshot.offer)
            case ChunkRequest(digest, offset, length):
                router.send(
                    sender, Chunk(digest, offset, snapshot.buffer[offset : offset + length])
                )
    assert isinstance(done[0], events.PullDone), done


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([Refuse("not you")], "refused us: not you"),
        ([Welcome(0), Unavailable(3)], "holds no weights of round 0, is at 3"),
        ([Welcome(0), WeightsOffer(0, b"d" * 16, 9, b"\xff\x80")], "a structure mask of 9 bits"),
        ([Welcome(0), *2 * [snapshot_of(LAYOUT, 0, WEIGHTS).offer]], "a second offer of round 0"),
    ],
)
def test_a_donor_that_answers_something_else_is_lost(net, answers, reason):
    a, router = silent_donor(net, timeout_s=None)
    for answer in answers:
        router.send("b:a", answer)
    check = "shape" if "structure" in reason else ""
    assert a.wait(events.PullLost) == events.PullLost("b", 0, reason, check)
    assert a.transport.traffic()  # and the transport is up


@pytest.mark.parametrize(
    "late", [snapshot_of(LAYOUT, 3, WEIGHTS).offer, Chunk(b"d" * 16, 0, b"x"), Unavailable(2)]
)
def test_an_answer_that_nobody_waits_for_is_turned_away(net, late):
    a, router = silent_donor(net, timeout_s=0.1)
    a.wait(events.PullLost)
    router.send("b:a", late)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", "stale")


@pytest.mark.parametrize("message", [mask_of(0), Bye(0)])
def test_what_belongs_on_control_is_not_taken_from_bulk(net, message):
    a, router = silent_donor(net, timeout_s=None)
    router.send("b:a", message)
    rejected = events.MessageRejected("b", "unexpected", type(message).__name__)
    assert a.wait(events.MessageRejected) == rejected
    assert a.heard_of((events.MaskHeard, events.Left)) == []


def test_a_late_answer_does_not_end_the_pull_that_goes_on(net):
    a, router = silent_donor(net, timeout_s=2.0)
    router.send("b:a", Welcome(0))
    assert router.asked() == ("b:a", WeightsRequest(0))
    a.wait(events.PullLost, round_index=0)
    a.transport.pull(["b"], 1)
    assert router.asked() == ("b:a", WeightsRequest(1))
    router.send("b:a", snapshot_of(LAYOUT, 0, random_weights(LAYOUT, seed=9)).offer)
    assert a.wait(events.MessageRejected).verdict == "stale"
    snapshot = snapshot_of(LAYOUT, 1, WEIGHTS)
    router.send("b:a", snapshot.offer)
    for begin in range(0, len(snapshot.buffer), CHUNK):
        _, asked = router.asked()
        assert (asked.digest, asked.offset) == (snapshot.offer.digest, begin)
        data = snapshot.buffer[begin : begin + asked.length]
        router.send("b:a", Chunk(snapshot.offer.digest, begin, data))
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_a_refusal_of_the_control_connection_is_a_neighbor_that_left(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", Refuse("another run"))
    assert a.wait(events.Left) == events.Left("b", "refused us: another run")


@pytest.mark.parametrize(
    ("frames", "verdict", "reason"),
    [
        ((b"noise",), "malformed", ""),
        ((snapshot_of(LAYOUT, 0, WEIGHTS).offer,), "unexpected", "WeightsOffer"),  # on control
        ((greeting("b"),), "unexpected", "Hello"),
        ((WeightsRequest(0),), "unexpected", "WeightsRequest"),
    ],
)
def test_what_no_neighbor_would_say_is_turned_away(net, frames, verdict, reason):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", *frames)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", verdict)
    assert reason in rejected.reason
    router.send("c:a", mask_of(0))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(0))


# -- strangers -------------------------------------------------------------------------------

FOREIGN = [
    ("another run", greeting("c", run_id=b"other-id")),
    ("other initial weights W0", greeting("c", w0_digest=b"x" * 16)),
    ("a model of another layout", greeting("c", layout_digest=b"x" * 16)),
    ("d is no neighbor of a", greeting("d")),
]


def still_answers(a, b):
    """Assert that a announces to, and serves, its neighbor as ever."""
    before = len(b.heard_of(events.MaskHeard))
    sent = a.announce(before)
    assert b.wait(events.MaskHeard, message=sent).neighbor == "a"
    b.transport.pull(["a"], before)
    assert same(b.wait(events.PullDone).pull.weights(), WEIGHTS)


def alone_with_b(net):
    """Return a and b, connected, where c would be a's neighbor too but is not there."""
    a, b = net.end("a", ["b", "c"]), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint, "c": ("127.1.0.3", 9)})
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    return a, b


@pytest.mark.parametrize(("reason", "hello"), FOREIGN)
def test_a_stranger_is_told_why_it_is_refused(net, reason, hello):
    a, b = alone_with_b(net)
    stranger = net.stranger(a)
    stranger.send(hello)
    assert stranger.answer() == Refuse(reason)
    assert a.wait(events.MessageRejected) == events.MessageRejected(
        hello.peer_id, "refused", reason
    )
    stranger.send(WeightsRequest(0))  # it is as unknown as before
    assert stranger.answer() == Refuse("say hello first")
    assert a.wait(events.MessageRejected).verdict == "stranger"
    still_answers(a, b)
    assert a.heard_of(events.Joined) == []
    assert a.traffic("out", "c")["weights"] == a.traffic("out", "d")["weights"] == (0, 0, 0)


@pytest.mark.parametrize(
    "message",
    [
        WeightsRequest(0),
        ChunkRequest(b"d" * 16, 0, 1),
        mask_of(0),
        Chunk(b"d" * 16, 0, b"x"),
        Welcome(0),
        Bye(0),
        Refuse("you"),
    ],
)
def test_hello_comes_first(net, message):
    a, b = alone_with_b(net)
    stranger = net.stranger(a)
    stranger.send(message)
    assert stranger.answer() == Refuse("say hello first")
    assert a.wait(events.MessageRejected) == events.MessageRejected(
        "127.0.0.1", "stranger", "say hello first"
    )
    assert a.traffic("in", "c")["control"] == (0, 0, 0)
    still_answers(a, b)


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ((msgpack.packb([1, 2, 0]),), "wire version 1; this peer speaks 2"),
        ((msgpack.packb([2, 99]),), "kind 99"),
        ((b"",), ""),
        ((b"\xc1" * 40,), ""),
        ((b"\x00", b"\xff" * 900, b""), ""),
        ((greeting("c"), b"one frame more"), "this shape"),
    ],
)
def test_garbage_is_turned_away(net, frames, why):
    a, b = alone_with_b(net)
    stranger = net.stranger(a)
    stranger.send(*frames)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("127.0.0.1", "malformed")
    assert why in rejected.reason
    still_answers(a, b)


def test_a_stranger_does_not_inherit_the_welcome_of_an_id_that_was_chosen(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    rash = net.stranger(a, b"mine")
    rash.send(greeting("b"))
    a.wait(events.Joined)
    rash.socket.close()
    a.wait(events.Left, neighbor="b")
    heir = net.stranger(a, b"mine")
    heir.send(WeightsRequest(0))
    assert heir.answer() == Refuse("say hello first")


def test_who_takes_an_id_that_is_in_use_is_not_heard(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    first = net.stranger(a, b"mine")
    first.send(greeting("b"))
    assert first.answer() == Welcome(0)
    second = net.stranger(a, b"mine")
    second.send(greeting("b", incarnation=1))
    sent = a.announce(0)
    assert first.answer() == sent
    assert not second.socket.poll(100)
    assert len(a.heard_of(events.Joined)) == 1


def test_a_strangers_bytes_are_not_a_neighbors(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    stranger = net.stranger(a)
    stranger.send(greeting("b", run_id=b"other-id"))
    stranger.answer()
    stranger.send(WeightsRequest(0))
    stranger.answer()
    a.transport.close()  # an answer is counted a moment after it is sent
    counts = [(row[1], row[2], row[4]) for row in a.transport.traffic()]
    assert counts == [("in", "hello", 1), ("in", "request", 1), ("out", "hello", 2)]
    assert [(c.side, c.neighbor) for c in a.connections] == [("server", "")]


@pytest.mark.parametrize(
    ("message", "name"), [(mask_of(0), "MaskAnnounce"), (Bye(3), "Bye"), (Welcome(0), "Welcome")]
)
def test_a_neighbor_announces_only_through_its_own_router(net, message, name):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    c.send(greeting("c"))
    assert c.answer() == Welcome(0)
    c.send(message)
    assert a.wait(events.MessageRejected) == events.MessageRejected("c", "unexpected", name)
    assert a.heard_of((events.MaskHeard, events.Left)) == []


def test_an_oversize_frame_ends_its_senders_connection_only(net):
    a, b = alone_with_b(net)
    rude = net.raw()
    watch = rude.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    rude.connect(a)
    rude.send(greeting("c"))
    assert rude.answer() == Welcome(0)
    rude.send(bytes(1025))  # a mask of LAYOUT is shorter
    assert watch.poll(DEADLINE_S * 1000)
    assert recv_monitor_message(watch)["event"] == zmq.EVENT_DISCONNECTED
    rude.socket.disable_monitor()
    watch.close()
    assert a.wait(events.Left).neighbor == "c"
    still_answers(a, b)
    assert a.heard_of(events.Left) == []


def test_a_largest_request_is_let_through(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    c.send(bytes(1024))
    assert a.wait(events.MessageRejected).verdict == "malformed"


# -- what it counts, and what it leaves ------------------------------------------------------


def test_both_ends_count_the_same_bytes(net):
    a, b = net.pair()
    kept = np.arange(LAYOUT.n_bits) % 3 > 0
    weights = random_weights(LAYOUT, mask=kept)
    for t in range(3):
        b.announce(t, weights)
        a.wait(events.MaskHeard)
    a.transport.pull(["b"], 2)
    n_bytes = a.wait(events.PullDone).pull.n_bytes
    assert n_bytes == LAYOUT.n_bytes(kept)
    for end in (a, b):
        end.transport.close()
    sent, got = b.traffic("out", "a"), a.traffic("in", "b")
    assert sent == got
    assert sent["mask"][:2] == (3, LAYOUT.n_bits // 8)  # one whole, and twice no change
    assert sent["weights"][:2] == (1 + -(-n_bytes // CHUNK), n_bytes)  # the offer first
    asked, heard = a.traffic("out", "b"), b.traffic("in", "a")
    assert asked == heard
    assert asked["mask"] == asked["weights"] == (0, 0, 0)
    n_chunks = sent["weights"][0] - 1
    assert asked["hello"][0] == 3  # two connections of a's, and a welcome on b's
    assert asked["request"][:2] == (1 + n_chunks, 0)


def test_both_ends_write_the_same_connections_and_counts(net):
    """Matched by their endpoints, the connections of two ends account for the same bytes."""
    ends = dict(zip("abc", net.mesh("abc"), strict=True))
    for t in range(2):
        for end in ends.values():
            end.announce(t)
    for peer, end in ends.items():
        for _ in range(2 * 2):
            end.wait(events.MaskHeard)
        end.transport.pull([p for p in ends if p != peer], 1)
    for end in ends.values():
        for _ in range(2):
            end.wait(events.PullDone)
    for end in ends.values():
        end.transport.close()
    clients, servers = set(), set()
    for peer, end in ends.items():
        for c in end.connections:
            if c.side == "client":
                clients.add((c.client, c.server, c.channel, peer, c.neighbor))
            else:
                servers.add((c.client, c.server, c.channel, c.neighbor, peer))
    assert clients == servers
    assert sorted((channel, *pair) for _, _, channel, *pair in clients) == [
        (channel, p, q) for channel in ("bulk", "control") for p in "abc" for q in "abc" if p != q
    ]
    for client, server, _, p, q in clients:
        assert client.startswith(f"{ends[p].address}:")
        assert server == "{}:{}".format(*ends[q].endpoint)
    sent, got = (
        sum((end.by_connection(way) for end in ends.values()), Counter()) for way in ("out", "in")
    )
    assert sent == got
    assert {kind for _, _, kind, _ in sent} == {"mask", "weights", "request", "hello"}


def test_each_connection_is_written_once_and_numbered_from_zero(net):
    a, b, proxy = through_a_proxy(net)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait(events.PullDone)
    proxy.cut()
    b.wait(events.Joined)
    for end in (a, b):
        end.transport.close()
        numbers = [c.connection for c in end.connections]
        assert sorted(numbers) == list(range(len(numbers)))
        assert len({(c.client, c.server) for c in end.connections}) == len(numbers)
    assert heartbeats(a) == {("control", 1000), ("bulk", 0)}


@pytest.mark.parametrize(
    ("asked_s", "others", "ms"), [(7.0, 1, 7000), (0.25, 1, 250), (0.25, 3, 300)]
)
def test_heartbeats_are_as_rare_as_is_asked_for_and_ten_a_second_at_most(net, asked_s, others, ms):
    a, *_ = net.mesh("abcd"[: others + 1], heartbeat_s=asked_s)
    assert {each for each in heartbeats(a) if each[0] == "control"} == {("control", ms)}


def heartbeats(end):
    return {(c.channel, c.heartbeat_ms) for c in end.connections}


def test_headers_are_what_is_not_payload(net):
    a, b = net.pair()
    sent = b.announce(0)
    a.wait(events.MaskHeard)
    header, bits = encode(sent)
    traffic = a.traffic("in", "b")
    assert traffic["mask"] == (1, len(bits), len(header))
    opening = len(encode(greeting("b"))[0]) + len(encode(Welcome(0))[0])
    assert traffic["hello"] == (2, 0, opening)


def test_a_second_hello_counts_once_more_and_not_twice(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    for _ in range(2):
        c.send(greeting("c"))
        assert c.answer() == Welcome(0)
        a.wait(events.Joined, neighbor="c")
    assert a.traffic("in", "c")["hello"][0] == 2


def test_close_leaves_nothing_behind(net):
    gc.collect()
    me = psutil.Process()
    before = me.num_fds(), me.num_threads(), threading.active_count()
    deadline = time.monotonic() + DEADLINE_S
    a, b = End("a", ["b"]), End("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait(events.PullDone)
    for end in (a, b):
        end.transport.close()
    while me.num_threads() != before[1] and time.monotonic() < deadline:
        pass  # a thread that was joined is still counted for a moment
    assert (me.num_fds(), me.num_threads(), threading.active_count()) == before


def test_close_ends_a_transport_that_never_connected():
    before = psutil.Process().num_fds()
    End("a", ["b"]).transport.close()
    assert psutil.Process().num_fds() == before


def test_close_interrupts_whatever_goes_on(net):
    a, b = net.pair(rates=Rates(up_bytes_s=10.0, down_bytes_s=10.0))
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.transport.close()
    a.transport.close()  # twice is as good as once
    assert b.wait(events.Left).neighbor == "a"


def test_a_transport_that_breaks_says_so_and_can_be_closed(net, monkeypatch):
    a, b = net.pair()
    monkeypatch.setattr(a.transport._server, "announce", lambda _mask: 1 / 0)
    a.announce(0)
    broken = a.inbox.get(DEADLINE_S)
    assert isinstance(broken, events.Broken)
    assert "ZeroDivisionError" in broken.error
    b.wait(events.Left, neighbor="a")
    a.transport.close()


OLD_ZMTP = {
    "ZMTP 1": "0400616263 0300 6869",
    "ZMTP 2": "ff00000000000000017f 01 05 0003616263 00026869",
}


@pytest.mark.parametrize("greeting", OLD_ZMTP.values(), ids=OLD_ZMTP)
def test_an_older_zmtp_cannot_end_the_transport(net, greeting):
    """libzmq tells no descriptor for a connection of its older versions."""
    a, b = net.pair()
    with socket.create_connection(a.endpoint, timeout=10) as raw:
        raw.sendall(bytes.fromhex(greeting))
        assert a.wait(events.MessageRejected).verdict == "malformed"
    still_answers(a, b)


def test_an_older_zmtp_of_a_neighbor_cannot_end_the_transport(net):
    a, b = net.end("a", ["b", "c"]), net.end("b", ["a"])
    with socket.create_server(("127.1.0.3", 0)) as c:
        a.transport.connect({"b": b.endpoint, "c": c.getsockname()})
        b.transport.connect({"a": a.endpoint})
        c.settimeout(DEADLINE_S)
        old, _ = c.accept()
        with old:
            router = "ff00000000000000017f 01 06 0000"
            old.sendall(bytes.fromhex(router) + b"\x00\x05noise")
            assert a.wait(events.MessageRejected, sender="c").verdict == "malformed"
        b.wait(events.Welcomed)
        still_answers(a, b)


def test_a_stranger_of_another_wire_version_is_told_so(net):
    a, b = net.pair()
    stranger = net.stranger(a)
    stranger.send(msgpack.packb([1, 1]))
    assert "wire version 1" in stranger.answer().reason
    still_answers(a, b)


def test_a_hello_read_late_counts_for_the_connection_that_brought_it(net):
    """The connection is gone, and another neighbor's has its descriptor, when it is read."""
    a = net.end("a", ["b", "c"])
    serving = a.transport._server._router
    serving.hosts = {"10.0.0.2": "b", "10.0.0.3": "c"}
    ours = serving._connections
    gone = ours._unheard[5] = TcpConnection(0, "server", "10.0.0.2:1", "10.0.0.1:9", gone=True)
    now = ours._accepted[5] = TcpConnection(1, "server", "10.0.0.3:1", "10.0.0.1:9")
    for name, connection in (("b", gone), ("c", now), ("x", now)):
        frames = [zmq.Frame(bytes(frame)) for frame in encode(greeting(name))]
        assert serving._came_by(5, frames) is connection
    assert serving._came_by(5, [zmq.Frame(b"garbage")]) is now
    now.spoke = True
    assert serving._came_by(5, [zmq.Frame(bytes(f)) for f in encode(greeting("b"))]) is now
