"""A neighbor whose host was lost: its process is not heard any more, though it lives."""

import pytest
import zmq
from test_moved_neighbors import KEYS, NEW_B, entry, exchange, met, take_up
from transports import CHUNK, DEADLINE_S, SLOW, greeting, mask_of, whole

from prisam_p2p.control.messages import Fence
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.sessions import Session, Sessions
from prisam_p2p.wire.messages import Channel, Refuse, Welcome

WAYS = pytest.mark.parametrize("secured", [False, True], ids=["plain", "curve"])


def fence(a, neighbor, least):
    """Return once a hears no process of a neighbor before `least`."""
    done = Inbox()
    a.transport.fence(Fence(neighbor, least), lambda: done.put(None))
    done.get(DEADLINE_S)


def fenced_verdicts(a):
    return {(each.sender, each.verdict) for each in a.heard_of(events.MessageRejected)}


@WAYS
def test_process_that_lives_on_is_not_heard_and_the_next_one_is(net, secured):
    a, b = met(net, secured)
    fence(a, "b", 1)
    assert a.wait(events.FencedOff) == events.FencedOff("b", 1)
    a.told.clear()
    b.announce(1, mask=mask_of(1))  # it has not noticed, and tries to come back for ever
    rejected = a.wait(events.MessageRejected, verdict="fenced")
    assert rejected.sender == "b"
    a.announce(1, mask=mask_of(1))
    assert a.wait(events.AnnounceDone).reached == []
    new_keys = NEW_B if secured else None
    later = net.end("b", ["a"], incarnation=1, keys=new_keys)
    take_up(a, entry(later, 1, new_keys))
    later.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed, neighbor="b")
    assert a.wait(events.Joined, neighbor="b").incarnation == 1
    exchange(a, later, 2)
    b.announce(2, mask=mask_of(7))
    heard = a.heard_of((events.MaskHeard, events.Joined))
    assert [each for each in heard if isinstance(each, events.Joined)] == []
    assert all(each.announced != mask_of(7) for each in heard)


@WAYS
def test_hello_of_the_fenced_process_is_refused_whenever_it_comes(net, secured):
    a = net.end("a", ["b"], keys=KEYS["a"] if secured else None)
    a.transport.connect({"b": ("127.1.0.2", 9)})
    fence(a, "b", 3)
    old = net.raw()
    if secured:
        old.socket.curve_publickey = KEYS["b"].public.encode()
        old.socket.curve_secretkey = KEYS["b"].secret.get_secret_value().encode()
        old.socket.curve_serverkey = KEYS["a"].public.encode()
    old.connect(a)
    old.send(greeting("b", incarnation=2))
    rejected = a.wait(events.MessageRejected, verdict="fenced")
    assert rejected.sender == "b"
    assert "host" in rejected.reason
    if not secured:
        assert old.answer() == Refuse("the host of this process of b was lost")
    assert a.heard_of(events.Joined) == []


def test_pull_from_a_fenced_donor_ends_at_once(net):
    a, b = net.end("a", ["b"], resume_s=DEADLINE_S), net.end("b", ["a"], rates=SLOW)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Joined)
    b.announce(0)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    fence(a, "b", 1)
    lost = a.wait(events.PullLost)
    assert (lost.donor, lost.reason) == ("b", "its host was lost")
    a.transport.pull(["b"], 0)  # its mask was heard before
    assert a.wait(events.PullLost).reason == "its host was lost"


def test_what_a_neighbor_sent_before_the_fence_is_told_before_it(net):
    a, b = net.end("a", ["b"]), net.raw(zmq.ROUTER)
    a.transport.connect({"b": b.bind("127.1.0.2")})
    b.asked_by("c:a")
    b.send("c:a", Welcome(0))
    a.wait(events.Welcomed)
    b.send("c:a", whole(mask_of(0)))
    a.wait(events.MaskHeard)
    b.send("c:a", whole(mask_of(1)))
    fence(a, "b", 1)
    told = a.heard_of((events.MaskHeard, events.FencedOff))
    assert isinstance(told[-1], events.FencedOff)  # whether or not the second had come by then


def test_fence_that_comes_before_the_first_connection_holds(net):
    a, b = (net.end(p, [q], keys=KEYS[p]) for p, q in ("ab", "ba"))
    done = Inbox()
    a.transport.fence(Fence("b", 1), lambda: done.put(None))
    a.transport.connect({"b": b.endpoint})
    done.get(DEADLINE_S)
    b.transport.connect({"a": a.endpoint})
    a.wait(events.MessageRejected, sender="b", verdict="fenced")
    assert a.heard_of((events.Joined, events.Welcomed)) == []


def test_sessions_from_before_a_fence_are_named_and_refused_and_the_fence_never_sinks():
    sessions = Sessions()
    old = Session("b", Channel.CONTROL, b"1", 1, 0)
    sessions.open(old)
    assert sessions.fence("b", 2) == [old]
    assert sessions.is_fenced(old)
    assert "host" in sessions.objection(Session("b", Channel.CONTROL, b"2", 2, 1))
    assert sessions.fence("b", 1) == [old]
    assert sessions.objection(Session("b", Channel.BULK, b"3", 3, 1)) is not None
    assert sessions.objection(Session("b", Channel.BULK, b"4", 4, 2)) is None
    assert not sessions.is_fenced(Session("b", Channel.BULK, b"4", 4, 2))
    assert sessions.objection(Session("c", Channel.BULK, b"5", 5, 0)) is None
