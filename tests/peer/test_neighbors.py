"""A peer's network over real sockets of one process: who is waited for, and how long."""

import threading
import time

from small_network import CAP_S, meet, peers
from transports import DEADLINE_S

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.messages import Fence
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.spans import SpanLog


def test_a_mute_neighbor_is_given_up_long_before_the_cap(tmp_path):
    with peers(tmp_path, "abc", floor_s=0.5) as made:
        meet(made)
        for t, announcing in enumerate(("abc", "abc", "ab")):  # c is there, and says nothing
            for name in announcing:
                made[name].announce(t)
            assert sorted(made["a"].network.hear(t)) == [n for n in announcing if n != "a"]
        made["c"].announce(2)  # after all; with its last mask, the next one is in time
        for name in "abc":
            made[name].announce(3)
        assert sorted(made["a"].network.hear(3)) == ["b", "c"]
    first, second, third, last = made["a"].heard()
    assert first["deadline_s"] == CAP_S
    assert second["missing"] == last["missing"] == {}
    assert third["deadline_s"] <= third["waited_s"] < CAP_S / 2
    assert third["missing"]["c"].startswith(f"no mask within {third['deadline_s']:.1f} s (rounds:")
    arrivals = made["a"].records("arrivals")
    assert [[ms is None for ms in x["ms"]] for x in arrivals] == [[False] * 2] * 2 + [
        [False, True],  # the mask that came late is of no use to this round
        [False] * 2,
    ]
    assert all(min(ms for ms in x["ms"] if ms is not None) == 0 for x in arrivals)


def test_before_the_quorum_is_here_a_mute_neighbor_is_waited_for(tmp_path):
    with peers(tmp_path, "ab", floor_s=0.0, cap_s=1.0) as made:
        meet(made)
        made["b"].announce(0)
        made["a"].network.hear(0)
        assert made["a"].network.hear(1) == {}
    _, heard = made["a"].heard()
    assert heard["waited_s"] >= heard["deadline_s"] == 1.0
    assert heard["missing"] == {"b": "no mask within 1 s"}
    assert made["a"].records("arrivals")[1]["ms"] == [None]


def test_a_peer_whose_neighbors_are_all_gone_goes_on_at_once(tmp_path):
    with peers(tmp_path, "abc") as made:
        meet(made)
        for name in "bc":
            made[name].transport.close()
        for t in range(3):
            made["a"].announce(t)
            assert made["a"].network.hear(t) == {}
            assert made["a"].network.pull(t, [], None) == {}
    heard = made["a"].heard()
    assert [x["missing"] for x in heard] == [dict.fromkeys("bc", "connection closed")] * 3
    assert sum(x["waited_s"] for x in heard) < CAP_S / 2


def test_a_neighbor_whose_host_was_lost_is_waited_for_no_more_though_it_lives(tmp_path):
    with peers(tmp_path, "abc") as made:
        meet(made)
        for name in "abc":
            made[name].announce(0)
        assert sorted(made["a"].network.hear(0)) == ["b", "c"]
        fenced = threading.Event()
        made["a"].transport.fence(Fence("b", 1), fenced.set)
        assert fenced.wait(DEADLINE_S)
        for name in "abc":
            made[name].announce(1)
        assert sorted(made["a"].network.hear(1)) == ["c"]
        assert made["a"].network.settle(["c"], CAP_S)
        assert not made["a"].network.settle(["b"], 0.1)
    assert made["a"].heard()[1]["missing"] == {"b": "its host was lost"}
    assert made["a"].heard()[1]["waited_s"] < CAP_S / 2
    (fenced,) = made["a"].records("neighbor_fenced")
    assert (fenced["neighbor"], fenced["least_incarnation"]) == ("b", 1)


def test_a_peer_that_never_meets_a_neighbor_goes_on_at_once(tmp_path):
    with peers(tmp_path, "abc") as made:
        nowhere = {n: (made[n].address, made[n].transport.port) for n in "bc"}
        for name in "bc":
            made[name].transport.close()
        made["a"].network.connect(nowhere, 0.2)
        made["a"].announce(0)
        assert made["a"].network.hear(0) == {}
    (heard,) = made["a"].heard()
    assert set(heard["missing"].values()) == {"did not connect within 0.2 s"}
    assert heard["waited_s"] < CAP_S / 2


def test_asking_in_which_round_the_others_are_is_a_wait_for_their_masks(tmp_path):
    written = []
    with peers(tmp_path, "ab") as made:
        meet(made)
        network = made["a"].network
        network.marks = Marks(spans=SpanLog(written.append, time.monotonic, time.process_time))
        with network.marks.doing(Activity.LOADING):
            assert network.latest_rounds() == {}  # b announced nothing yet
        network.marks.end_spans()
    longest = max((span for record in written for span in record.spans), key=lambda s: s[2] - s[1])
    assert longest[0] == "waiting for masks"
