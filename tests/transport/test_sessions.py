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


def test_a_place_is_found_by_its_connection_and_by_its_neighbor():
    admitted, bob = Sessions(), session(b"1")
    assert admitted.at(b"1") is admitted.of("bob", Channel.CONTROL) is None
    assert admitted.take(bob) is None
    assert admitted.at(b"1") is admitted.of("bob", Channel.CONTROL) is bob
    assert admitted[b"1"] == "bob"
    assert admitted.of("bob", Channel.BULK) is None


@pytest.mark.parametrize("incarnation", [3, 4])
def test_a_newer_connection_takes_the_place_of_the_older(incarnation):
    admitted, old = Sessions(), session(b"1", incarnation=3)
    new = session(b"2", incarnation=incarnation)
    admitted.take(old)
    assert admitted.objection(new) is None
    assert admitted.take(new) is old
    assert admitted.at(b"1") is None
    assert admitted.of("bob", Channel.CONTROL) is new
    assert admitted.leave(old.descriptor) is None  # the older one is gone at last
    assert admitted.of("bob", Channel.CONTROL) is new


def test_an_older_process_takes_no_place_while_a_later_one_holds_it():
    admitted, new, old = Sessions(), session(b"1", incarnation=3), session(b"2", incarnation=2)
    admitted.take(new)
    assert admitted.objection(old) == "a later process of bob is here"
    assert admitted.objection(replace(old, channel=Channel.BULK)) is None
    assert admitted.leave(new.descriptor) is new
    assert admitted.objection(old) is None


def test_a_second_hello_of_one_connection_takes_its_own_place():
    admitted = Sessions()
    admitted.take(session(b"1"))
    again = session(b"1", incarnation=1)
    assert admitted.objection(again) is None
    assert admitted.take(again) is None
    assert admitted.at(b"1") is admitted.of("bob", Channel.CONTROL) is again


@pytest.mark.parametrize(
    "other", [session(b"1", channel=Channel.BULK), session(b"1", neighbor="carol")]
)
def test_a_connection_speaks_for_one_neighbor_on_one_channel(other):
    admitted = Sessions()
    admitted.take(session(b"1"))
    assert admitted.objection(other) == "this connection is bob's, for control"
