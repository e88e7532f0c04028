"""A neighbor that comes back at another port, with another key: what an update changes."""

import threading

import pytest
import zmq
from tiny_layouts import same
from transports import (
    CHUNK,
    DEADLINE_S,
    LAYOUT,
    SLOW,
    WEIGHTS,
    greeting,
    mask_of,
    wait_for_connections,
    whole,
)

from prisam_p2p.control.messages import RosterEntry
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.sessions import Session, Sessions
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire.messages import Channel, Welcome

KEYS = make_keys({"a": "bc", "b": "ac", "c": "ab"})
NEW_B = make_keys({"b": ""})["b"].model_copy(update={"neighbors": KEYS["b"].neighbors})
"""Another pair of b's, which knows its neighbors by the keys they have."""


def entry(end, incarnation, keys=None):
    return RosterEntry(end.peer, *end.endpoint, incarnation, keys.public if keys else None)


def take_up(a, update):
    """Return once a has taken the update up: a key that it does not know yet is denied."""
    done = Inbox()
    a.transport.update_neighbor(update)
    a.transport._io.call(lambda: done.put(None))
    done.get(DEADLINE_S)


def exchange(a, b, round_index):
    """Assert that a and b hear each other, and pull each other's weights of a round."""
    masks = {end.peer: end.announce(round_index, mask=mask_of(round_index)) for end in (a, b)}
    for one, other in ((a, b), (b, a)):
        assert one.wait(events.MaskHeard, neighbor=other.peer, announced=masks[other.peer])
        one.transport.pull([other.peer], round_index)
        assert same(one.wait(events.PullDone).pull.weights(), WEIGHTS)


def met(net, secured):
    """Return a and b, connected, after an exchange."""
    a, b = (net.end(p, [q], keys=KEYS[p] if secured else None) for p, q in ("ab", "ba"))
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    exchange(a, b, 0)
    return a, b


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "curve"])
def test_a_neighbor_that_comes_back_elsewhere_is_heard_and_pulled_from_again(net, secured):
    a, b = met(net, secured)
    b.transport.close()
    assert a.wait(events.Left).neighbor == "b"
    new_keys = NEW_B if secured else None
    later = net.end("b", ["a"], incarnation=1, keys=new_keys)
    assert later.endpoint != b.endpoint
    take_up(a, entry(later, 1, new_keys))
    later.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed, neighbor="b")
    assert a.wait(events.Joined, neighbor="b").incarnation == 1
    exchange(a, later, 1)


def test_a_key_that_is_denied_at_first_opens_connections_once_it_is_known(net):
    """ZeroMQ gives a connection up that a gate has denied."""
    a, b = met(net, secured=True)
    b.transport.close()
    assert a.wait(events.Left).neighbor == "b"
    later = net.end("b", ["a"], incarnation=1, keys=NEW_B, resume_s=DEADLINE_S)
    later.transport.connect({"a": a.endpoint})
    later.transport.pull(["a"], 0)
    for _ in range(4):  # each of its two connections, again and again
        assert a.wait(events.MessageRejected).verdict == "unknown-key"
    assert a.heard_of(events.Joined) == []
    take_up(a, entry(later, 1, NEW_B))
    assert a.wait(events.Joined, neighbor="b").incarnation == 1
    assert later.wait(events.Welcomed).neighbor == "a"
    assert same(later.wait(events.PullDone).pull.weights(), WEIGHTS)
    exchange(a, later, 1)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "curve"])
def test_the_connections_of_an_earlier_process_are_closed_though_it_lives(net, secured):
    a, b = met(net, secured)
    new_keys = NEW_B if secured else None
    later = net.end("b", ["a"], incarnation=1, keys=new_keys)
    a.transport.update_neighbor(entry(later, 1, new_keys))
    assert a.wait(events.Left, neighbor="b")
    assert b.wait(events.Left, neighbor="a")  # and a closed its own
    wait_for_connections(b, 0)
    later.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed, neighbor="b")
    assert a.wait(events.Joined, neighbor="b").incarnation == 1
    exchange(a, later, 1)
    assert b.heard_of(events.Welcomed) == []  # never again


def test_a_pull_goes_on_at_the_new_place(net):
    a = net.end("a", ["b"], resume_s=DEADLINE_S)
    b = net.end("b", ["a"], rates=SLOW)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Joined)
    b.announce(0)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    later = net.end("b", ["a"], incarnation=1)
    later.announce(0)
    later.transport.connect({"a": a.endpoint})
    a.transport.update_neighbor(entry(later, 1))
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), WEIGHTS)
    assert pull.fetched_bytes == LAYOUT.n_bytes(LAYOUT.full_mask())  # nothing was fetched twice
    assert later.traffic("out", "a")["weights"][1] < pull.fetched_bytes


def test_what_a_neighbor_sent_before_it_moved_is_heard(net):
    a, b = net.end("a", ["b"]), net.raw(zmq.ROUTER)
    a.transport.connect({"b": b.bind("127.1.0.2")})
    b.asked_by("c:a")
    b.send("c:a", Welcome(0))
    a.wait(events.Welcomed)
    began, client = threading.Event(), a.transport._client

    def move():  # in the transport's thread, which reads nothing meanwhile
        began.set()
        assert client._lines["b", Channel.CONTROL].socket.poll(1000 * DEADLINE_S), "no mask"
        client.update_neighbor("b", ("127.1.0.2", 9), None)

    a.transport._io.call(move)
    assert began.wait(DEADLINE_S)
    b.send("c:a", whole(mask_of(0)))
    assert a.wait(events.MaskHeard).announced == mask_of(0)
    assert a.wait(events.Lost).neighbor == "b"


def test_a_key_that_is_newer_than_the_own_ones_is_used_from_the_first_connection_on(net):
    a, b = net.end("a", ["b"], keys=KEYS["a"]), net.end("b", ["a"], keys=NEW_B)
    a.transport.update_neighbor(entry(b, 0, NEW_B))
    a.transport.connect({"b": b.endpoint})
    take_up(a, entry(b, 0, NEW_B))
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Joined)
        end.wait(events.Welcomed)
    exchange(a, b, 0)
    assert b.heard_of(events.MessageRejected) == []  # nothing came by the key that b had before
    assert {c.client for c in a.connections if c.side == "client"} == {
        c.client for c in b.connections if c.side == "server"
    }


def test_an_update_that_says_nothing_new_leaves_connections_alone(net):
    a, b = met(net, secured=True)
    a.transport.update_neighbor(entry(b, 0, KEYS["b"]))
    exchange(a, b, 1)
    assert a.heard_of((events.Lost, events.Left, events.Welcomed)) == []
    assert len(a.connections) == 4  # control and bulk, both ways


def test_the_key_that_a_neighbor_had_does_not_open_the_gate_any_more(net):
    a, b = met(net, secured=True)
    b.transport.close()
    assert a.wait(events.Left).neighbor == "b"
    a.transport.update_neighbor(RosterEntry("b", b.address, 9, 1, NEW_B.public))
    thief = net.end("b", ["a"], incarnation=1, keys=KEYS["b"])
    thief.transport.connect({"a": a.endpoint})
    rejected = a.wait(events.MessageRejected)
    assert (rejected.verdict, rejected.reason) == ("unknown-key", "a key that is no neighbor's")
    assert a.heard_of(events.Joined) == []


def test_connections_that_the_replaced_key_opened_are_ended(net):
    a, _ = met(net, secured=True)
    a.transport.update_neighbor(RosterEntry("b", "127.1.0.2", 9, 0, NEW_B.public))
    assert a.wait(events.Left).neighbor == "b"
    assert a.wait(events.MessageRejected).verdict == "unknown-key"  # b tries to come back by it
    assert a.heard_of(events.Joined) == []


def test_a_replaced_key_does_not_open_a_session_by_a_connection_that_it_opened_before(net):
    a, thief = net.end("a", ["b"], keys=KEYS["a"]), net.raw()
    a.transport.connect({"b": ("127.1.0.2", 9)})
    thief.socket.curve_publickey = KEYS["b"].public.encode()
    thief.socket.curve_secretkey = KEYS["b"].secret.get_secret_value().encode()
    thief.socket.curve_serverkey = KEYS["a"].public.encode()
    monitor = thief.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    thief.connect(a)
    assert monitor.poll(1000 * DEADLINE_S), "no handshake"
    thief.socket.disable_monitor()
    monitor.close()
    update = RosterEntry("b", "127.1.0.2", 9, 1, NEW_B.public)
    take_up(a, update)
    thief.send(greeting("b", incarnation=1))
    rejected = a.wait(events.MessageRejected)
    assert (rejected.verdict, rejected.reason) == ("unknown-key", "a key that was replaced")
    assert a.heard_of(events.Joined) == []
    take_up(a, update)  # as a barrier: what came before is handled
    counted = [(row[2], row[4]) for row in a.transport.traffic() if row[1] == "in"]
    assert counted == [("hello", 1)]


def test_sessions_of_an_earlier_process_are_named_and_refused():
    sessions = Sessions()
    old = Session("b", Channel.CONTROL, b"1", 1, 0)
    assert sessions.objection(old) is None
    sessions.open(old)
    assert sessions.expect("b", 1) == [old]
    assert sessions.objection(old) == "a later process of b is here"
    sessions.close(1)
    assert sessions.objection(Session("b", Channel.BULK, b"2", 2, 0)) is not None
    assert sessions.objection(Session("b", Channel.BULK, b"3", 3, 1)) is None
    assert sessions.expect("b", 1) == []
