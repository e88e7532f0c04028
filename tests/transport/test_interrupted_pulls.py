"""Pulls whose connection is cut: they go on where they were, or are given up."""

import time
from functools import partial

import pytest
import zmq
from tiny_layouts import random_weights, same
from transports import (
    CHUNK,
    DEADLINE_S,
    LAYOUT,
    SLOW,
    WEIGHTS,
    greeting,
    through_a_proxy,
    wait_for_connections,
)

from prisam_p2p.transport import events
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates
from prisam_p2p.wire.messages import (
    Channel,
    Chunk,
    ChunkRequest,
    WeightsRequest,
    Welcome,
)


def test_a_pull_whose_connection_is_cut_is_lost(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], timeout_s=0.5)
    proxy = net.proxy(router.bind("127.1.0.2"))
    a.transport.connect({"b": proxy.endpoint})
    assert router.asked() == ("c:a", greeting("a"))
    a.transport.pull(["b"], 0)
    assert router.asked() == ("b:a", greeting("a", Channel.BULK))
    router.send("b:a", Welcome(0))
    assert router.asked() == ("b:a", WeightsRequest(0))
    router.send("b:a", snapshot_of(LAYOUT, 0, WEIGHTS).offer)
    assert [router.asked()[1].offset // CHUNK for _ in range(4)] == [0, 1, 2, 3]
    proxy.cut()
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "connection closed")


@pytest.mark.parametrize("n_cuts", [1, 3])
def test_a_pull_that_is_cut_in_the_middle_fetches_nothing_twice(net, n_cuts):
    a, b, proxy = through_a_proxy(net, a={"resume_s": DEADLINE_S}, b={"rates": SLOW})
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    for i in range(n_cuts):
        a.wait_for_bytes("b", (1 + i) * CHUNK)
        proxy.cut()
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), WEIGHTS)
    assert pull.fetched_bytes == pull.n_bytes
    assert a.heard_of(events.PullLost) == []
    a.transport.close()
    assert a.traffic("in", "b")["weights"][1] == pull.n_bytes
    bulk = [c for c in a.connections if (c.side, c.channel) == ("client", "bulk")]
    assert len(bulk) == n_cuts + 1


def answer_chunks(router, snapshot, begin, n):
    """Answer `n` chunk requests, the first of them for chunk `begin`, as b to a."""
    for i in range(begin, begin + n):
        asked = router.asked_by("b:a")
        assert (asked.digest, asked.offset) == (snapshot.offer.digest, i * CHUNK)
        data = snapshot.buffer[asked.offset : asked.offset + asked.length]
        router.send("b:a", Chunk(asked.digest, asked.offset, data))


@pytest.mark.parametrize(("seed", "resumed_at"), [(0, 2), (1, 0)], ids=["same", "changed"])
def test_a_pull_goes_on_where_it_was_if_the_offer_is_the_same(net, seed, resumed_at):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"], resume_s=DEADLINE_S)
    proxy = net.proxy(router.bind("127.1.0.2"))
    a.transport.connect({"b": proxy.endpoint})
    a.transport.pull(["b"], 0)
    before, after = (snapshot_of(LAYOUT, 0, random_weights(LAYOUT, s)) for s in (0, seed))
    n_chunks = -(-len(after.buffer) // CHUNK)
    for snapshot, begin, n in ((before, 0, 2), (after, resumed_at, n_chunks - resumed_at)):
        assert router.asked_by("b:a") == greeting("a", Channel.BULK)
        router.send("b:a", Welcome(0))
        assert router.asked_by("b:a") == WeightsRequest(0)
        router.send("b:a", snapshot.offer)
        answer_chunks(router, snapshot, begin, n)
        if snapshot is before:
            for _ in range(n_chunks - 2):
                assert isinstance(router.asked_by("b:a"), ChunkRequest)  # not answered any more
            a.wait_for_bytes("b", 2 * CHUNK)
            proxy.cut()
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), random_weights(LAYOUT, seed))
    assert pull.fetched_bytes == pull.n_bytes + (2 - resumed_at) * CHUNK


def test_a_donor_that_does_not_come_back_is_given_up(net):
    a, b = net.pair(rates=SLOW, resume_s=0.3)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    began = time.monotonic()
    b.transport.close()
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "connection closed")
    assert time.monotonic() - began >= 0.1


def test_a_pull_outlives_the_connection_that_its_donor_opened(net):
    """Only the donor's own connection to us is cut; its answers come by ours."""
    a, b = net.end("a", ["b"], resume_s=0), net.end("b", ["a"], rates=SLOW)
    proxy = net.proxy(a.endpoint)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": proxy.endpoint})
    a.wait(events.Joined)
    b.announce(0)
    a.wait(events.MaskHeard)
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    proxy.cut()
    a.wait(events.Left, neighbor="b")
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_a_bulk_connection_that_is_cut_is_back_for_the_next_pull(net):
    a, b = net.end("a", ["b"]), net.end("b", ["a"])
    proxy = net.proxy(b.endpoint)
    a.transport.connect({"b": proxy.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    for _ in range(3):
        a.transport.pull(["b"], 0)
        assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
        proxy.cut()
        a.wait(events.Welcomed)  # control is back; bulk comes back when it is needed, or before


def test_chunks_of_a_pull_that_was_given_up_do_not_reach_the_next(net):
    """The donor still owes chunks of the same snapshot when the next pull begins."""
    a, b = net.pair(rates=SLOW)
    b.announce(0)
    b.wait(events.AnnounceDone)
    for _ in range(3):
        a.transport.pull(["b"], 0)
        a.wait_for_bytes("b", CHUNK)
        a.transport._io.call(partial(a.transport._client._pulls.lose, "b", "enough", 0.0))
        assert a.wait(events.PullLost).reason == "enough"
    a.transport.pull(["b"], 0)
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


@pytest.mark.parametrize("noticed", [True, False])
def test_requests_of_one_connection_are_not_answered_on_the_next(net, noticed):
    """Chunks between may have gone with the connection: what is left would not fit on."""
    a = net.end("a", ["c"], rates=Rates(up_bytes_s=100_000.0))
    a.transport.connect({"c": ("127.1.0.3", 9)})
    a.announce(0)
    a.wait(events.AnnounceDone)
    old, digest = net.stranger(a), snapshot_of(LAYOUT, 0, WEIGHTS).offer.digest
    old.send(greeting("c", Channel.BULK))
    assert old.answer() == Welcome(0)
    for i in range(4):
        old.send(ChunkRequest(digest, i * CHUNK, CHUNK))
    assert old.answer().offset == 0
    if noticed:
        old.socket.close()
        wait_for_connections(a, 0)
    new = net.stranger(a)
    new.send(greeting("c", Channel.BULK))
    assert new.answer() == Welcome(0)
    new.send(ChunkRequest(digest, 2 * CHUNK, CHUNK))
    assert new.answer().offset == 2 * CHUNK
    assert a.heard_of(events.MessageRejected) == []
