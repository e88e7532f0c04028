"""Connections of strangers: each is refused and counted, and the others are served as ever."""

import socket

import msgpack
import pytest
import zmq
from transports import DEADLINE_S, alone_with_b, greeting, mask_of, still_answers, whole
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.transport import events
from prisam_p2p.wire.messages import (
    Bye,
    Chunk,
    ChunkRequest,
    Refuse,
    WeightsRequest,
    Welcome,
)

FOREIGN = [
    ("another run", greeting("c", run_id=b"other-id")),
    ("other initial weights W0", greeting("c", w0_digest=b"x" * 16)),
    ("a model of another layout", greeting("c", layout_digest=b"x" * 16)),
    ("d is no neighbor of a", greeting("d")),
]


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
        whole(mask_of(0)),
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
def test_garbage_is_rejected(net, frames, why):
    a, b = alone_with_b(net)
    stranger = net.stranger(a)
    stranger.send(*frames)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("127.0.0.1", "malformed")
    assert why in rejected.reason
    still_answers(a, b)


def test_a_stranger_of_another_wire_version_learns_why_it_is_refused(net):
    a, b = net.pair()
    stranger = net.stranger(a)
    stranger.send(msgpack.packb([1, 1]))
    assert "wire version 1" in stranger.answer().reason
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


def test_a_connection_with_an_id_in_use_is_not_heard(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    first = net.stranger(a, b"mine")
    first.send(greeting("b"))
    assert first.answer() == Welcome(0)
    second = net.stranger(a, b"mine")
    second.send(greeting("b", incarnation=1))
    sent = a.announce(0)
    assert first.answer() == whole(sent)
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
    ("message", "name"),
    [(whole(mask_of(0)), "MaskAnnounce"), (Bye(3), "Bye"), (Welcome(0), "Welcome")],
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
    stranger = net.raw()
    watch = stranger.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    stranger.connect(a)
    stranger.send(greeting("c"))
    assert stranger.answer() == Welcome(0)
    stranger.send(bytes(1025))  # a mask of LAYOUT is shorter
    assert watch.poll(DEADLINE_S * 1000)
    assert recv_monitor_message(watch)["event"] == zmq.EVENT_DISCONNECTED
    stranger.socket.disable_monitor()
    watch.close()
    assert a.wait(events.Left).neighbor == "c"
    still_answers(a, b)
    assert a.heard_of(events.Left) == []


def test_a_frame_of_the_largest_size_is_read(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    c.send(bytes(1024))
    assert a.wait(events.MessageRejected).verdict == "malformed"


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
