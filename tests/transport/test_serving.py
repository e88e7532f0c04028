"""Weights from a donor to its requesters, where nothing fails."""

import time

import numpy as np
import pytest
from tiny_layouts import random_weights, same
from transports import CHUNK, DEADLINE_S, LAYOUT, SLOW, WEIGHTS

from prisam_p2p.core.layout import FLOAT16, narrow
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.transport import Rates
from prisam_p2p.wire.messages import (
    WireDtype,
)


def test_weights_arrive_while_this_thread_is_busy(net):
    a, b = net.pair()
    b.announce(3)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 3)
    deadline, work = time.monotonic() + DEADLINE_S, np.ones((64, 64))
    while not a.heard_of(events.PullDone) and time.monotonic() < deadline:
        work = np.tanh(work @ work)  # nothing here answers anybody
    done = a.wait(events.PullDone)
    assert (done.pull.donor, done.pull.round_index) == ("b", 3)
    assert same(done.pull.weights(), WEIGHTS)
    assert done.pull.n_bytes > 4 * CHUNK
    assert 0 < done.wall_s < DEADLINE_S


def test_two_donors_and_two_rounds(net):
    a, b, c = net.mesh("abc")
    weights = {
        (e.peer, t): random_weights(LAYOUT, seed=t * 2 + (e is b)) for e in (b, c) for t in (5, 6)
    }
    for (peer, t), each in weights.items():
        {"b": b, "c": c}[peer].announce(t, each)
    for end in (b, c):
        end.wait(events.AnnounceDone, round_index=6)
    for t in (6, 5):  # the one before is still offered
        a.transport.pull(["b", "c"], t)
        for _ in range(2):
            pull = a.wait(events.PullDone).pull
            assert pull.round_index == t
            assert same(pull.weights(), weights.pop((pull.donor, t)))
    assert not weights


def test_a_round_that_the_donor_does_not_hold_is_lost_at_once(net):
    a, b = net.pair()
    b.announce(3)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 4)
    lost = a.wait(events.PullLost)
    assert lost == events.PullLost("b", 4, "holds no weights of round 4, is at 3")
    a.transport.pull(["b"], 3)  # and the next pull is none the worse
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


@pytest.mark.parametrize("who", ["donor", "requester"])
def test_a_pull_takes_as_long_as_the_slower_device_needs(net, who):
    rate = 400_000.0
    slow = Rates(up_bytes_s=rate) if who == "donor" else Rates(down_bytes_s=rate)
    a = net.end("a", ["b"], rates=slow if who == "requester" else None)
    b = net.end("b", ["a"], rates=slow if who == "donor" else None)
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    done = a.wait(events.PullDone)
    assert done.wall_s >= (done.pull.n_bytes - CHUNK) / rate
    up, down = b.transport.peak_mbit_s()[0], a.transport.peak_mbit_s()[1]
    mbit = done.pull.n_bytes * 8 / 1e6
    assert mbit / 3 < up <= round(mbit, 3)  # in one clock second, or in two or three
    assert mbit / 3 < down <= round(mbit, 3)
    assert a.transport.peak_mbit_s()[0] == b.transport.peak_mbit_s()[1] == 0


def test_an_upload_waits_at_its_stop_and_others_do_not(net):
    a, b, c = (net.end(p, [q for q in "abc" if q != p]) for p in "abc")
    reached = Inbox()
    a.transport.stop_transfers([(3, 0.5)], reached.put)
    for end in (a, b, c):
        end.transport.connect({e.peer: e.endpoint for e in (a, b, c) if e is not end})
    for neighbor in "bc":
        a.wait(events.Joined, neighbor=neighbor)
    a.announce(3)
    a.wait(events.AnnounceDone)
    b.transport.pull(["a"], 3)
    stop = reached.get(DEADLINE_S)
    assert (stop.requester, stop.round_index, stop.stop) == ("b", 3, (3, 0.5))
    assert stop.n_bytes / 2 - CHUNK <= stop.offset <= stop.n_bytes / 2
    c.transport.pull(["a"], 3)
    c.wait(events.PullDone)
    b.wait_for_bytes("a", stop.offset)
    assert b.transport._client._pulls._underway["a"].pull.fetched_bytes == stop.offset
    a.transport.go_on(stop.stop)
    assert same(b.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_more_requesters_than_slots_are_all_served(net):
    a, *others = net.mesh("abc", rates=SLOW, serve_at_once=1)
    a.announce(0)
    a.wait(events.AnnounceDone)
    for end in others:
        end.transport.pull(["a"], 0)
    for end in others:
        assert same(end.wait(events.PullDone).pull.weights(), WEIGHTS)
    for end in others:
        end.transport.close()
    busy = [end.traffic("in", "a")["control"][0] for end in others]
    assert busy.count(0) <= 1  # only the first was served when it came


def test_slots_belong_to_the_donor_and_not_to_the_requester(net):
    """A requester may pull from many that serve one each."""
    a, *others = net.mesh("abcd", serve_at_once=1)
    for end in others:
        end.announce(0)
        end.wait(events.AnnounceDone)
    a.transport.pull([end.peer for end in others], 0)
    for _ in others:
        assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
    a.transport.close()
    assert [a.traffic("in", end.peer)["control"][0] for end in others] == [0, 0, 0]


def test_only_channels_that_both_keep_are_fetched(net):
    a, b = net.pair()
    kept, wanted = np.arange(128) % 2 == 0, np.arange(128) % 3 == 0
    weights = random_weights(LAYOUT, mask=kept)
    b.announce(0, weights)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0, wanted)
    pull = a.wait(events.PullDone).pull
    assert same(pull.weights(), narrow(LAYOUT, weights, kept & wanted))
    assert pull.fetched_bytes == LAYOUT.n_bytes(kept & wanted) < LAYOUT.n_bytes(kept) / 2
    a.transport.pull(["b"], 0)
    assert same(a.wait(events.PullDone).pull.weights(), weights)


def test_weights_in_half_precision(net):
    a, b = net.pair()
    b.announce(0, dtype=WireDtype.FLOAT16)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    pull = a.wait(events.PullDone).pull
    assert pull.fetched_bytes == LAYOUT.n_bytes(LAYOUT.full_mask(), FLOAT16)
    for name, array in pull.weights().tensors.items():
        np.testing.assert_allclose(array, WEIGHTS.tensors[name], rtol=1e-3, atol=2.0**-25)


def test_unchanged_weights_are_not_fetched_twice(net):
    a, b = net.pair()
    fetched = []
    for t, weights in enumerate([WEIGHTS, WEIGHTS, random_weights(LAYOUT, seed=1)]):
        b.announce(t, weights)
        b.wait(events.AnnounceDone)
        a.transport.pull(["b"], t)
        pull = a.wait(events.PullDone).pull
        assert same(pull.weights(), weights)
        fetched.append(pull.fetched_bytes)
        a.transport.keep(pull)
    assert fetched == [pull.n_bytes, 0, pull.n_bytes]
    a.transport.close()
    assert a.traffic("in", "b")["weights"][1] == 2 * pull.n_bytes
