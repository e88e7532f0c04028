"""Neighbors that leave, come back, or are replaced by their next process."""

from tiny_layouts import same
from transports import WEIGHTS, greeting, wait_for_connections, whole

from prisam_p2p.transport import events
from prisam_p2p.wire.messages import (
    Welcome,
)


def test_a_bye_tells_the_last_round(net):
    a, b = net.pair()
    a.transport.say_bye(7)
    assert b.wait(events.Left) == events.Left("a", "left before round 7", for_good=True)


def test_a_neighbor_that_closes_has_left(net):
    a, b = net.pair()
    b.transport.close()
    assert a.wait(events.Left) == events.Left("b", "connection closed")


def test_a_restarted_neighbor_is_welcome_and_hears_the_last_mask(net):
    a, b, c = net.mesh("abc")
    a.announce(0)
    last = a.announce(1)
    b.wait(events.MaskHeard, announced=last)
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


def test_a_new_connection_outlives_the_one_that_it_replaced(net):
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
    assert new.answer() == whole(sent)
    assert a.heard_of(events.Left) == []


def test_a_control_connection_that_is_cut_comes_back(net):
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
        b.wait(events.MaskHeard, announced=sent)
