"""What a transport counts and notes of its connections."""

from collections import Counter

import numpy as np
import pytest
from tiny_layouts import random_weights
from transports import CHUNK, LAYOUT, alone_with_b, greeting, through_a_proxy, whole

from prisam_p2p.transport import events
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import (
    Welcome,
)


def test_both_ends_count_the_same_bytes(net):
    a, b = net.pair()
    kept = np.arange(LAYOUT.n_bits) % 3 > 0
    weights = random_weights(LAYOUT, mask=kept)
    for t in range(3):
        b.announce(t, weights)
        a.wait(events.MaskHeard)
    a.transport.pull(["b"], 2)
    n_bytes = a.wait(events.PullDone).pull.n_bytes
    assert n_bytes == LAYOUT.n_bytes(kept)
    for end in (a, b):
        end.transport.close()
    sent, got = b.traffic("out", "a"), a.traffic("in", "b")
    assert sent == got
    assert sent["mask"][:2] == (3, LAYOUT.n_bits // 8)  # one whole, and twice no change
    assert sent["weights"][:2] == (1 + -(-n_bytes // CHUNK), n_bytes)  # the offer first
    asked, heard = a.traffic("out", "b"), b.traffic("in", "a")
    assert asked == heard
    assert asked["mask"] == asked["weights"] == (0, 0, 0)
    n_chunks = sent["weights"][0] - 1
    assert asked["hello"][0] == 3  # two connections of a's, and a welcome on b's
    assert asked["request"][:2] == (1 + n_chunks, 0)


def test_both_ends_write_the_same_connections_and_counts(net):
    """Matched by their endpoints, the connections of two ends account for the same bytes."""
    ends = dict(zip("abc", net.mesh("abc"), strict=True))
    for t in range(2):
        for end in ends.values():
            end.announce(t)
    for peer, end in ends.items():
        for _ in range(2 * 2):
            end.wait(events.MaskHeard)
        end.transport.pull([p for p in ends if p != peer], 1)
    for end in ends.values():
        for _ in range(2):
            end.wait(events.PullDone)
    for end in ends.values():
        end.transport.close()
    clients, servers = set(), set()
    for peer, end in ends.items():
        for c in end.connections:
            if c.side == "client":
                clients.add((c.client, c.server, c.channel, peer, c.neighbor))
            else:
                servers.add((c.client, c.server, c.channel, c.neighbor, peer))
    assert clients == servers
    assert sorted((channel, *pair) for _, _, channel, *pair in clients) == [
        (channel, p, q) for channel in ("bulk", "control") for p in "abc" for q in "abc" if p != q
    ]
    for client, server, _, p, q in clients:
        assert client.startswith(f"{ends[p].address}:")
        assert server == "{}:{}".format(*ends[q].endpoint)
    sent, got = (
        sum((end.by_connection(way) for end in ends.values()), Counter()) for way in ("out", "in")
    )
    assert sent == got
    assert {kind for _, _, kind, _ in sent} == {"mask", "weights", "request", "hello"}


def test_each_connection_is_written_once_and_numbered_from_zero(net):
    a, b, proxy = through_a_proxy(net)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait(events.PullDone)
    proxy.cut()
    b.wait(events.Joined)
    for end in (a, b):
        end.transport.close()
        numbers = [c.connection for c in end.connections]
        assert sorted(numbers) == list(range(len(numbers)))
        assert len({(c.client, c.server) for c in end.connections}) == len(numbers)
    assert heartbeats(a) == {("control", 1000), ("bulk", 0)}


def heartbeats(end):
    return {(c.channel, c.heartbeat_ms) for c in end.connections}


@pytest.mark.parametrize(
    ("asked_s", "others", "ms"), [(7.0, 1, 7000), (0.25, 1, 250), (0.25, 3, 300)]
)
def test_heartbeats_are_as_rare_as_requested_and_at_most_ten_a_second(net, asked_s, others, ms):
    a, *_ = net.mesh("abcd"[: others + 1], heartbeat_s=asked_s)
    assert {each for each in heartbeats(a) if each[0] == "control"} == {("control", ms)}


def test_bytes_that_are_not_payload_count_as_header(net):
    a, b = net.pair()
    sent = b.announce(0)
    a.wait(events.MaskHeard)
    header, bits = encode(whole(sent))
    traffic = a.traffic("in", "b")
    assert traffic["mask"] == (1, len(bits), len(header))
    opening = len(encode(greeting("b"))[0]) + len(encode(Welcome(0))[0])
    assert traffic["hello"] == (2, 0, opening)


def test_a_second_hello_is_counted_once(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    for _ in range(2):
        c.send(greeting("c"))
        assert c.answer() == Welcome(0)
        a.wait(events.Joined, neighbor="c")
    assert a.traffic("in", "c")["hello"][0] == 2
