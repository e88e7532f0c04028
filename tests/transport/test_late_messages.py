"""Messages that are read after their connection closed, was replaced, or lost its descriptor."""

import socket
import threading
import time

import zmq
from transports import DEADLINE_S, greeting, wait_for_connections

from prisam_p2p.transport import events
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import (
    MaskRequest,
    Refuse,
    Unavailable,
    WeightsRequest,
    Welcome,
)


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


def test_an_answer_to_a_closed_connection_is_counted_as_unreachable(net, monkeypatch):
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


def test_a_reused_descriptor_does_not_stand_for_its_last_user(net, monkeypatch):
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


def test_a_hello_that_is_read_after_its_connection_closed_opens_no_session(net, monkeypatch):
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


def test_messages_of_a_connection_that_was_replaced_are_ignored(net, monkeypatch):
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


def test_a_hello_that_is_read_late_counts_for_its_own_connection(net):
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
