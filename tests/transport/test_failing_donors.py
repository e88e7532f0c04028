"""Donors that are silent, slow, or answer something else."""

import re
import socket
import time

import pytest
import zmq
from tiny_layouts import random_weights, same
from transports import CHUNK, LAYOUT, WEIGHTS, greeting, mask_of, whole

from prisam_p2p.transport import events
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates
from prisam_p2p.wire.messages import (
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
)


def silent_donor(net, timeout_s):
    """Return a, pulling round 0 from b that is a bare ROUTER, and the ROUTER after n steps."""
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], timeout_s=timeout_s)
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    a.transport.pull(["b"], 0)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    return a, router


def test_a_donor_that_moves_but_too_slowly_is_given_up(net):
    a = net.end("a", ["b"], timeout_s=0.5, least_bytes_s=1e6)
    b = net.end("b", ["a"], rates=Rates(up_bytes_s=100_000.0))  # a chunk every 0.16 s
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    reason = a.wait(events.PullLost).reason
    assert re.fullmatch(r"[1-9]\d* bytes/s over 0\.5 s", reason)


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
    a, router = silent_donor(net, timeout_s=0.7)
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
def test_an_answer_to_no_pull_is_rejected(net, late):
    a, router = silent_donor(net, timeout_s=0.1)
    a.wait(events.PullLost)
    router.send("b:a", late)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", "stale")


@pytest.mark.parametrize("message", [whole(mask_of(0)), Bye(0)])
def test_control_messages_on_a_bulk_connection_are_rejected(net, message):
    a, router = silent_donor(net, timeout_s=None)
    router.send("b:a", message)
    rejected = events.MessageRejected("b", "unexpected", type(message).__name__)
    assert a.wait(events.MessageRejected) == rejected
    assert a.heard_of((events.MaskHeard, events.Left)) == []


def test_a_late_answer_does_not_end_the_pull_that_goes_on(net):
    a, router = silent_donor(net, timeout_s=0.7)
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


@pytest.mark.parametrize(
    ("frames", "verdict", "reason"),
    [
        ((b"noise",), "malformed", ""),
        ((snapshot_of(LAYOUT, 0, WEIGHTS).offer,), "unexpected", "WeightsOffer"),  # on control
        ((greeting("b"),), "unexpected", "Hello"),
        ((WeightsRequest(0),), "unexpected", "WeightsRequest"),
    ],
)
def test_messages_that_no_neighbor_sends_are_rejected(net, frames, verdict, reason):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", *frames)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", verdict)
    assert reason in rejected.reason
    router.send("c:a", whole(mask_of(0)))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(0))
