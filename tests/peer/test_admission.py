from dataclasses import replace

import pytest

from prisam_p2p.peer.admission import Identity, objection, routing_id
from prisam_p2p.wire.messages import Channel, Hello

ME = Identity(b"run-id-8", "alice", 2, b"w" * 16, b"l" * 16)
BOB = Hello(b"run-id-8", "bob", 0, Channel.CONTROL, b"w" * 16, b"l" * 16)


@pytest.mark.parametrize(
    ("channel", "expected"), [(Channel.CONTROL, b"c:bob"), (Channel.BULK, b"b:bob")]
)
def test_routing_ids_tell_the_peer_and_the_channel(channel, expected):
    assert routing_id("bob", channel) == expected


@pytest.mark.parametrize("channel", Channel)
def test_a_hello_says_who_i_am(channel):
    assert ME.hello(channel) == Hello(b"run-id-8", "alice", 2, channel, b"w" * 16, b"l" * 16)


@pytest.mark.parametrize(
    ("sender", "hello"),
    [
        (b"c:bob", BOB),
        (b"b:bob", replace(BOB, channel=Channel.BULK)),
        (b"c:bob", replace(BOB, incarnation=7)),  # a restarted neighbor
        (b"c:carol", replace(BOB, peer_id="carol")),
    ],
)
def test_neighbors_of_the_same_run_are_welcome(sender, hello):
    assert objection(ME, {"bob", "carol"}, sender, hello) is None


@pytest.mark.parametrize(
    ("sender", "changes", "why"),
    [
        (b"c:bob", {"run_id": b"other-id"}, "another run"),
        (b"c:dave", {"peer_id": "dave"}, "dave is no neighbor of alice"),
        (b"c:alice", {"peer_id": "alice"}, "alice is no neighbor of alice"),
        (b"b:bob", {}, "routing id that is not bob's"),  # bulk's, on control
        (b"c:bob", {"channel": Channel.BULK}, "routing id that is not bob's"),
        (b"c:carol", {}, "routing id that is not bob's: c:carol"),
        (b"c:carol", {"peer_id": "dave"}, "routing id that is not dave's: c:carol"),
        (b"c:" + b"x" * 200, {}, "routing id that is not bob's: c:" + "x" * 38),
        (b"bob", {}, "routing id that is not bob's"),
        (b"\x00\x80\x00\x00\x01", {}, "that is not bob's"),
        (b"c:bob", {"layout_digest": b"x" * 16}, "a model of another layout"),
        (b"c:bob", {"w0_digest": b"x" * 16}, "other initial weights W0"),
        (b"c:bob", {"run_id": b"other-id", "peer_id": "dave"}, "another run"),
        (b"c:bob", {"layout_digest": b"x" * 16, "w0_digest": b"x" * 16}, "another layout"),
    ],
)
def test_refusals(sender, changes, why):
    assert why in objection(ME, {"bob", "carol"}, sender, replace(BOB, **changes))
