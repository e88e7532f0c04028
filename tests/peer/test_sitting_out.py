"""Rounds in which a peer does not take part: what it does meanwhile, and what others await."""

import numpy as np
import pytest
from test_baseline_loops import LAYOUT, AddsOne, Offers, constant

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.control.messages import AtBarrier, RoundDone
from prisam_p2p.control.spec import DeviceSpec, Incarnation, PeerSpec
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.measure import records
from prisam_p2p.measure.state import kept_states
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.round_book import RoundBook, Verdict, reached_by_half
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.settings import RunSettings

PEERS, ROUNDS = ["a", "b", "c", "d"], 8
NO_MASK = PackedMask(0, b"")


class Hears(Offers):
    """A network that notes in which rounds it was listened to, and for how much longer."""

    def __init__(self, offers, masks):
        super().__init__(offers, masks)
        self.heard = {}

    def hear(self, t, idle_s=None):
        self.heard[t] = idle_s
        return self.masks


@pytest.fixture
def played(tmp_path):
    """Play b for all rounds; return its spec, its network, what it wrote and what it reported."""

    def play(algorithm, **more):
        (tmp_path / "state").mkdir(exist_ok=True)
        found, wrote, told = Algorithm(algorithm), [], []
        settings = {"rounds": ROUNDS, "participation": 0.5, "norm_limit": 1e9}
        spec = PeerSpec.model_construct(
            peer_id="b",
            index=1,
            run_dir=tmp_path,
            neighbors=["a", "c", "d"],
            degrees=dict.fromkeys("acd", 3),
            everyone=PEERS,
            true_group=PEERS,
            fan_in=2,
            turns_fd=None,
            cores=1,
            clusters=1,
            similarity_ratio=0.5,
            earlier_states=ROUNDS,
            device=DeviceSpec.model_construct(prune_ratio=0.0, speed=0.9),
            traits=found.traits,
            settings=RunSettings(algorithm=algorithm, **settings),
            **more,
        )
        offers = {peer: constant(1) for peer in "acd"}
        n_bits = LAYOUT.n_bits if found.traits.masks == "similarity" else 0
        mask = PackedMask.pack(np.ones(n_bits, np.bool_)) if n_bits else NO_MASK
        network = None if found.traits.silent else Hears(offers, dict.fromkeys("acd", mask))
        journal = type("Journal", (), {"write": staticmethod(wrote.append)})()
        made = (AddsOne(), network, journal, lambda s: None, told.append, lambda: None)
        me = BaselinePeer(spec, Incarnation(), LAYOUT, constant(0), *made)
        LOOPS[found](me)
        return spec, network, wrote, told

    return play


def rounds_of(kind, lines):
    return [line.round for line in lines if isinstance(line, kind)]


@pytest.mark.parametrize("algorithm", ["prisam", "d-psgd", "pens", "oracle", "dis-pfl", "local"])
def test_a_peer_trains_announces_and_pulls_in_its_own_rounds_only(played, algorithm):
    spec, network, wrote, told = played(algorithm)
    mine = [t for t in range(ROUNDS) if spec.participation().takes_part("b", t)]
    others = sorted({*range(ROUNDS)} - {*mine})
    assert (mine[0], mine[-1]) == (0, ROUNDS - 1)
    assert others
    assert rounds_of(records.Trained, wrote) == mine
    assert rounds_of(records.SatOut, wrote) == others
    assert sorted({*rounds_of(records.Evaluated, wrote)}) == mine
    assert [each.round_index for each in told if isinstance(each, RoundDone)] == [*range(ROUNDS)]
    assert [*kept_states(spec.state_path)] == [*range(1, ROUNDS + 1)]
    if network:
        assert len(network.announced) == len(network.pulled) == len(mine)
        assert sorted(network.heard) == [*range(ROUNDS)]
        assert all((network.heard[t] is None) == (t in mine) for t in range(ROUNDS))
        assert all(network.heard[t] > 0 for t in others)  # it waits while the others train


def test_a_fault_happens_in_a_round_that_its_peer_sits_out(played):
    drawn = PeerSpec.model_construct(
        everyone=PEERS, settings=RunSettings(rounds=ROUNDS, participation=0.5)
    ).participation()
    t = next(t for t in range(ROUNDS) if not drawn.takes_part("b", t))
    phases = ["train", "announce", "pull", "aggregate"]
    _, _, wrote, told = played("prisam", barriers=[(t, phase) for phase in phases])
    at = [each for each in told if isinstance(each, AtBarrier)]
    assert at == [AtBarrier(t, phase) for phase in phases]
    assert t in rounds_of(records.SatOut, wrote)


def test_random_neighbors_are_drawn_of_those_that_take_part(played):
    spec, _, wrote, _ = played("fedavg-random")
    drawn, grouped = spec.participation(), [x for x in wrote if isinstance(x, records.Grouped)]
    assert grouped
    for line in grouped:
        takes_part = drawn.among(PEERS, line.round)
        assert set(line.group) <= takes_part
        assert len(line.group) == min(3, len(takes_part))


# -- what others await ---------------------------------------------------------------------------


def book_of(participation, at):
    book = RoundBook(["a", "c", "d"], 0, participation)
    book.open(at)
    return book


def test_only_those_that_take_part_are_awaited_and_heard():
    drawn = PeerSpec.model_construct(
        everyone=PEERS, settings=RunSettings(rounds=ROUNDS, participation=0.5)
    ).participation()
    for t in range(ROUNDS):
        book, there = book_of(drawn, t), drawn.among("acd", t)
        assert book.awaited() == there
        assert set(book.missing("late")) == there
        for peer in "acd":
            right = Verdict.ACCEPTED if peer in there else Verdict.SITS_OUT
            assert book.receive(peer, t, NO_MASK) is right
        assert set(book.masks()) == there
        assert book.awaited() == set()


def test_a_round_is_reached_by_half_of_those_that_take_part_in_it():
    drawn = PeerSpec.model_construct(
        everyone=PEERS, settings=RunSettings(rounds=ROUNDS, participation=1)
    ).participation()
    t = next(t for t in range(1, ROUNDS) if drawn.takes_part("c", t))
    latest = {"a": 0, "c": t, "d": 0}
    assert reached_by_half(latest) == 0
    assert reached_by_half(latest, drawn) == t


def test_who_sits_out_waits_longer_by_the_time_that_the_others_train():
    deadline = RoundDeadline(DeadlineRule(cap_s=100.0, k=6.0))
    deadline.open(0, now_s=0.0)
    assert deadline.wait_s(0, 3) == 100.0
    deadline.close([], now_s=5.0)
    deadline.open(1, now_s=5.0, idle_s=30.0)
    assert deadline.wait_s(0, 3) == 130.0
    assert deadline.reason(0, 3) == "no mask within 130 s"
    deadline.close([], now_s=60.0)
    deadline.open(2, now_s=70.0)
    assert deadline.wait_s(0, 3) == 100.0
