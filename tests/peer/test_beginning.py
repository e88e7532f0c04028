from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_network import LAYOUT, MASK, WEIGHTS, meet, peers
from tiny_layouts import random_weights, same

from prisam_p2p.control.spec import DeviceSpec, Incarnation, PeerSpec
from prisam_p2p.core.layout import narrow
from prisam_p2p.measure.state import Progress, save_state
from prisam_p2p.peer import neighbors
from prisam_p2p.peer.beginning import begin, by_freshness
from prisam_p2p.settings import RunSettings
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.wire.mask_coding import RoundMask


def order(latest, *seed):
    return by_freshness(latest, np.random.default_rng([0, *seed]))


def test_the_freshest_are_asked_first():
    assert order({"a": 1, "b": 5, "c": 3}) == ["b", "c", "a"]


def test_peers_that_come_back_together_ask_different_neighbors():
    """30 peers, 10 equally fresh neighbors: one alone is not asked by a third of them."""
    latest = dict.fromkeys("abcdefghij", 7)
    first = Counter(order(latest, peer, 1)[0] for peer in range(30))
    assert len(first) >= 7
    assert max(first.values()) <= 10


def test_the_same_peer_and_incarnation_ask_in_the_same_order():
    latest = dict.fromkeys("abcdefghij", 7)
    assert order(latest, 3, 1) == order(latest, 3, 1)
    assert order(latest, 3, 1) != order(latest, 3, 2)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9)), st.integers(0, 99))
def test_everybody_is_in_the_order_once_and_nobody_before_a_fresher_one(latest, seed):
    found = order(latest, seed)
    assert sorted(found) == sorted(latest)
    rounds = [latest[neighbor] for neighbor in found]
    assert rounds == sorted(rounds, reverse=True)


# -- over real sockets ---------------------------------------------------------------------------


def second(**more):
    """Return a's second process."""
    return Incarnation(number=1, **more)


def spec(folder):
    """Return the spec of a."""
    (folder / "state").mkdir(exist_ok=True)
    device = DeviceSpec.model_construct(prune_ratio=0.5)
    settings = RunSettings(rounds=10)
    fields = {"peer_id": "a", "index": 0, "run_dir": folder, "device": device}
    return PeerSpec.model_construct(settings=settings, **fields)


def leave_state(a, rounds_done):
    progress = Progress(
        rounds_done=rounds_done,
        incarnation=0,
        prune_ratio=0.25,
        affinity={},
        validations=[],
        layout=LAYOUT.digest.hex(),
    )
    save_state(a.state_path, random_weights(LAYOUT, 7), progress)


def test_a_peer_begins_with_its_freshest_neighbors_weights_at_its_own_ratio(tmp_path):
    with peers(tmp_path, "abc") as made:
        made["b"].announce(3)
        made["c"].announce(4)
        meet(made)
        incarnation = second(source="neighbor", late=True)
        start = begin(spec(tmp_path), incarnation, LAYOUT, made["a"].network)
    assert (start.source, start.donor, start.round_index) == ("neighbor", "c", 4)
    assert start.weights.mask.sum() == LAYOUT.n_bits / 2
    assert same(start.weights, narrow(LAYOUT, WEIGHTS, start.weights.mask))


def test_a_peer_that_gets_nothing_begins_with_its_state_and_else_with_w0(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbors, "_LAST_MASKS_S", 0.2)  # c never announces
    a, incarnation = spec(tmp_path), second(source="neighbor", late=True)
    with peers(tmp_path, "abc") as made:
        made["b"].transport.announce(RoundMask(6, MASK), snapshot_of(LAYOUT, 5, WEIGHTS))
        meet(made)  # b announces round 6 and has only the weights of another
        start = begin(a, incarnation, LAYOUT, made["a"].network)
        assert (start.source, start.weights, start.round_index) == ("fresh", None, 6)
        leave_state(a, rounds_done=2)
        start = begin(a, incarnation, LAYOUT, made["a"].network)
        assert (start.source, start.progress.rounds_done, start.round_index) == ("state", 2, 6)
        assert same(start.weights, random_weights(LAYOUT, 7))


def test_a_round_that_all_begin_together_is_not_passed_over(tmp_path):
    a = spec(tmp_path)
    for rounds_done in (2, 3):  # it had ended a round more than others
        leave_state(a, rounds_done)
    start = begin(a, second(source="state", first_round=2), LAYOUT, None)
    assert (start.progress.rounds_done, start.round_index) == (2, 2)
    start = begin(a, second(source="state", first_round=0), LAYOUT, None)
    assert (start.source, start.round_index) == ("fresh", 0)
