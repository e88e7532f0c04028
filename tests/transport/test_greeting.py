"""How neighbors connect: Hello, Welcome, and one connection for each channel."""

import zmq
from transports import DEADLINE_S, greeting, mask_of, whole

from prisam_p2p.control.messages import RosterEntry
from prisam_p2p.transport import events
from prisam_p2p.wire.messages import (
    Channel,
    Refuse,
    Unavailable,
    WeightsRequest,
    Welcome,
)


def test_neighbors_greet_each_other(net):
    a, b = net.end("a", ["b"], incarnation=2), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    assert a.wait(events.Welcomed) == events.Welcomed("b")
    assert a.wait(events.Joined) == events.Joined("b", 0)
    assert b.wait(events.Welcomed) == events.Welcomed("a")
    assert b.wait(events.Joined) == events.Joined("a", 2)


def test_a_neighbor_that_starts_later_is_found(net):
    """The ROUTER is bound at once, but does not answer before `connect`."""
    a, b = net.end("a", ["b"]), net.end("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, [], ["b"])
    b.transport.connect({"a": a.endpoint})
    b.wait(events.Welcomed, neighbor="a")
    a.wait(events.Welcomed, neighbor="b")
    assert b.wait(events.MaskHeard) == events.MaskHeard("a", mask_of(0))


def test_a_neighbor_that_was_unknown_at_first_is_met(net):
    a, c = net.end("a", ["b", "c"]), net.end("c", ["a"])
    a.transport.connect({"c": c.endpoint})
    c.transport.connect({"a": a.endpoint})
    a.wait(events.Joined, neighbor="c")
    sent = a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["c"], ["b"])
    b = net.end("b", ["a"])
    b.transport.connect({"a": a.endpoint})
    a.transport.update_neighbor(RosterEntry("b", *b.endpoint))
    a.wait(events.Joined, neighbor="b")
    a.wait(events.Welcomed, neighbor="b")
    assert b.wait(events.MaskHeard) == events.MaskHeard("a", sent)


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


def test_an_older_process_of_a_neighbor_is_refused_while_a_later_one_is_here(net):
    a = net.end("a", ["b"])
    a.transport.connect({"b": ("127.1.0.2", 9)})
    new, old = net.stranger(a), net.stranger(a)
    new.send(greeting("b", incarnation=2))
    assert new.answer() == Welcome(0)
    old.send(greeting("b", incarnation=1))
    assert old.answer() == Refuse("a later process of b is here")
    sent = a.announce(0)
    assert new.answer() == whole(sent)
    new.socket.close()
    a.wait(events.Left, neighbor="b")
    old.send(greeting("b", incarnation=1))
    assert old.answer() == Welcome(0)


def test_a_refusal_of_the_control_connection_is_a_neighbor_that_left(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", Refuse("another run"))
    assert a.wait(events.Left) == events.Left("b", "refused us: another run")
