from dataclasses import replace

import pytest

from prisam_p2p.transport.sessions import Identity, Session, Sessions, objection
from prisam_p2p.wire.messages import Channel, Hello

ME = Identity(b"run-id-8", "alice", 2, b"w" * 16, b"l" * 16)
BOB = Hello(b"run-id-8", "bob", 0, Channel.CONTROL, b"w" * 16, b"l" * 16)


@pytest.mark.parametrize("channel", Channel)
def test_a_hello_says_who_i_am(channel):
    assert ME.hello(channel) == Hello(b"run-id-8", "alice", 2, channel, b"w" * 16, b"l" * 16)


@pytest.mark.parametrize(
    "hello",
    [
        BOB,
        replace(BOB, channel=Channel.BULK),
        replace(BOB, incarnation=7),  # a restarted neighbor
        replace(BOB, peer_id="carol"),
    ],
)
def test_neighbors_of_the_same_run_are_welcome(hello):
    assert objection(ME, {"bob", "carol"}, hello) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"run_id": b"other-id"}, "another run"),
        ({"peer_id": "dave"}, "dave is no neighbor of alice"),
        ({"peer_id": "alice"}, "alice is no neighbor of alice"),
        ({"layout_digest": b"x" * 16}, "a model of another layout"),
        ({"w0_digest": b"x" * 16}, "other initial weights W0"),
        ({"run_id": b"other-id", "peer_id": "dave"}, "another run"),
        ({"layout_digest": b"x" * 16, "w0_digest": b"x" * 16}, "another layout"),
    ],
)
def test_refusals(changes, why):
    assert why in objection(ME, {"bob", "carol"}, replace(BOB, **changes))


def session(sender, neighbor="bob", channel=Channel.CONTROL, incarnation=0):
    return Session(neighbor, channel, sender, descriptor=sender[0], incarnation=incarnation)


def test_a_session_is_found_by_its_connection_and_by_its_neighbor():
    sessions, bob = Sessions(), session(b"1")
    assert sessions.at(b"1") is sessions.of("bob", Channel.CONTROL) is None
    assert sessions.open(bob) is None
    assert sessions.at(b"1") is sessions.of("bob", Channel.CONTROL) is bob
    assert sessions.of("bob", Channel.BULK) is None


@pytest.mark.parametrize("incarnation", [3, 4])
def test_a_newer_connection_replaces_the_session_of_the_older(incarnation):
    sessions, old = Sessions(), session(b"1", incarnation=3)
    new = session(b"2", incarnation=incarnation)
    sessions.open(old)
    assert sessions.objection(new) is None
    assert sessions.open(new) is old
    assert sessions.at(b"1") is None
    assert sessions.of("bob", Channel.CONTROL) is new
    assert sessions.close(old.descriptor) is None  # the older one is gone at last
    assert sessions.of("bob", Channel.CONTROL) is new


def test_an_older_process_opens_no_session_while_a_later_one_has_it():
    sessions, new, old = Sessions(), session(b"1", incarnation=3), session(b"2", incarnation=2)
    sessions.open(new)
    assert sessions.objection(old) == "a later process of bob is here"
    assert sessions.objection(replace(old, channel=Channel.BULK)) is None
    assert sessions.close(new.descriptor) is new
    assert sessions.objection(old) is None


def test_a_second_hello_of_one_connection_replaces_its_own_session():
    sessions = Sessions()
    sessions.open(session(b"1"))
    again = session(b"1", incarnation=1)
    assert sessions.objection(again) is None
    assert sessions.open(again) is None
    assert sessions.at(b"1") is sessions.of("bob", Channel.CONTROL) is again


@pytest.mark.parametrize(
    "other", [session(b"1", channel=Channel.BULK), session(b"1", neighbor="carol")]
)
def test_a_connection_speaks_for_one_neighbor_on_one_channel(other):
    sessions = Sessions()
    sessions.open(session(b"1"))
    assert sessions.objection(other) == "this connection is bob's, for control"
