"""Which channels a peer keeps, announces and regrows: by hand, on the real loop."""

from contextlib import nullcontext

import numpy as np
import pytest
from tiny_layouts import one_layer

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.control.spec import DeviceSpec, Incarnation, PeerSpec
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import Weights, narrow, widen
from prisam_p2p.learn.learner import Accuracy
from prisam_p2p.learn.training import TrainingOutcome
from prisam_p2p.measure import records
from prisam_p2p.measure.state import load_memory
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.channel_choice import ChannelChoice
from prisam_p2p.peer.loop import prisam
from prisam_p2p.settings import RunSettings

LAYOUT = one_layer(channels=4, inputs=1)
ALL = LAYOUT.full_mask()


def mask_of(bits):
    return np.array([bit == "1" for bit in bits])


def text(mask):
    return "".join("01"[int(bit)] for bit in mask)


def with_gammas(*gammas, mask="1111"):
    """Weights of 1 whose gammas, in dense shapes, are these."""
    tensors = {t.name: np.ones(t.shape, t.dtype) for t in LAYOUT.tensors}
    tensors["bn.weight"] = np.array(gammas, np.float32)
    return narrow(LAYOUT, Weights(ALL, tensors), mask_of(mask))


W0 = with_gammas(0.5, 0.5, 0.5, 0.5)


def choice(index=0, seed=0, **settings):
    return ChannelChoice(RunSettings(seed=seed, **settings), index, LAYOUT, W0)


def averaged(made, gammas, *, votes=(1, 1, 1, 1), began="1111", union="1111"):
    given = (with_gammas(*gammas), mask_of(union), np.array(votes), mask_of(began), 0.5)
    return text(made.of_average(*given).mask)


# ChannelChoice


def test_by_votes_a_channel_of_one_retainer_among_many_ranks_low():
    gammas, votes = (0.9, 0.7, 0.6, 0.5), (0.2, 1, 1, 0.4)
    assert averaged(choice(), gammas, votes=votes) == "1100"
    assert averaged(choice(rank_by="votes"), gammas, votes=votes) == "0110"


def test_chosen_once_channels_stay_whatever_their_gammas_become():
    once = choice(mask_by="gamma-once")
    assert averaged(once, (0.9, 0.7, 0.6, 0.5)) == "1100"  # the first round trained all
    assert averaged(once, (0.1, 0.2, 0.8, 0.9), began="1100") == "1100"
    assert averaged(choice(), (0.1, 0.2, 0.8, 0.9), began="1100") == "0011"


@pytest.mark.parametrize("rule", ["random-common", "random-own"])
def test_drawn_channels_do_not_ask_gamma(rule):
    made = choice(mask_by=rule)
    kept = averaged(made, (1, 2, 3, 4))
    assert kept == averaged(made, (4, 3, 2, 1)) == text(made.of_w0(0.5).mask)
    assert kept == text(made.of_trained(with_gammas(9, 1, 9, 1), 0.5).mask)
    assert kept.count("1") == 2


def test_peers_draw_alike_or_each_its_own():
    def drawn(rule):
        made = [choice(i, mask_by=rule, prune_w0=True) for i in range(12)]
        return {text(each.of_w0(0.5).mask) for each in made}

    assert len(drawn("random-common")) == len(drawn("gamma")) == 1
    assert len(drawn("random-own")) > 2
    others = {text(choice(seed=s, mask_by="random-common").of_w0(0.5).mask) for s in range(12)}
    assert len(others) > 2


def test_a_larger_rho_keeps_a_part_of_what_a_smaller_one_keeps():
    made = choice(mask_by="random-common")
    assert (made.of_w0(0.75).mask <= made.of_w0(0.5).mask).all()


def test_a_slim_w0_is_twice_as_wide_as_what_is_announced_of_it():
    slim = choice(prune_w0=True, similarity_by="gamma-of-w0")
    assert slim.w0_to_compare(0.75).mask.sum() == 2
    assert slim.w0_to_compare(0.5).mask.all()
    assert choice(similarity_by="gamma-of-w0").w0_to_compare(0.75) is W0


def test_by_change_the_announced_channels_are_those_that_moved():
    before, after = with_gammas(9, 8, 1, 1), with_gammas(9, 8.1, 1.2, 0.7)
    by_gamma, by_change = choice(), choice(similarity_by="gamma-change")
    assert text(by_gamma.to_announce(by_gamma.scores_to_compare(None, after), 0.5)) == "1100"
    assert text(by_change.to_announce(by_change.scores_to_compare(before, after), 0.5)) == "0011"


# The loop


class Moves:
    """A learner: training moves the gammas of whatever it is given by what the round says."""

    def __init__(self, *by_round):
        self.by_round, self.trained = by_round, []

    def macs(self, mask):
        return 10

    def layer_macs(self, mask):
        return {"layer": 10}

    def train(self, weights, *, round_index, epochs, learning_rate, **_):
        self.trained.append((round_index, text(weights.mask), epochs, round(learning_rate, 4)))
        full = widen(LAYOUT, weights)
        moved = dict(full.tensors)
        moved["bn.weight"] = moved["bn.weight"] + np.float32(self.by_round[round_index])
        outcome = TrainingOutcome(1, 4, 0.5)
        return narrow(LAYOUT, Weights(ALL, moved), weights.mask), outcome

    def recalibrate(self, weights):
        return weights

    def accuracy(self, weights):
        return Accuracy(0.5, 0.5)


class Alone:
    """A network in which nobody else is; it keeps what is announced."""

    def __init__(self):
        self.announced = []

    def announce(self, t, mask, weights):
        self.announced.append((text(mask.unpack()), text(weights.mask)))

    def hear(self, t):
        return {}

    def pull(self, t, donors, wanted):
        return {}

    def reached(self):
        return 0

    def write_traffic(self, t):
        pass

    def bytes_out(self):
        return 0

    def payload_bytes(self):
        return 0, 0


class Kept:
    def __init__(self):
        self.lines = []

    def write(self, record):
        self.lines.append(record)


@pytest.fixture
def run(tmp_path):
    """Run PRISAM alone, rho 0.5; return the peer, its learner, its network and its journal."""

    def rounds(*moves, ratio=0.5, process=None, killed_in=None, **settings):
        (tmp_path / "state").mkdir(exist_ok=True)
        settings = {"regrowth_every": 0, "lr_decay": 0.5, "learning_rate": 0.1} | settings
        spec = PeerSpec.model_construct(
            peer_id="b",
            index=1,
            run_dir=tmp_path,
            neighbors=[],
            degrees={},
            turns_fd=None,
            cores=1,
            clusters=1,
            similarity_ratio=ratio,
            device=DeviceSpec.model_construct(prune_ratio=0.5, speed=0.9),
            traits=Algorithm.PRISAM.traits,
            settings=RunSettings(rounds=len(moves), **settings),
        )
        learner, network, journal = Moves(*moves[:killed_in]), Alone(), Kept()
        made = (learner, network, journal, lambda s: None, lambda e: None, lambda: None)
        me = BaselinePeer(spec, process or Incarnation(), LAYOUT, W0, *made)
        with pytest.raises(IndexError) if killed_in else nullcontext():
            prisam(me)
        return me, learner, network, journal.lines

    return rounds


FIRST = (0.4, 0.3, 0.2, 0.1)  # gammas of 0.9 0.8 0.7 0.6: channels 0 and 1 stay


def test_by_default_a_dead_channel_never_returns(run):
    _, learner, network, _ = run(FIRST, (-0.7, -0.7, 0, 0), (-0.1, -0.1, 0, 0))
    assert [mask for _, mask, *_ in learner.trained] == ["1111", "1100", "1100"]
    assert network.announced == [("1100", "1100")] * 3


def test_a_regrown_channel_stays_if_its_gamma_ranks(run):
    # Channel 1 (0.8) makes room for 2 or 3, which begin at W0's 0.5 and move by 0.4.
    _, learner, network, lines = run(FIRST, (0, 0, 0.4, 0.4), regrow_share=0.5)
    ((_, first, *_), (_, trial, *_)) = learner.trained
    assert (first, trial[:2], trial.count("1")) == ("1111", "10", 2)
    assert network.announced[1][1] == trial
    assert [x for x in lines if isinstance(x, records.Regrown)][-1] == records.Regrown(1, 1, 1)


def test_a_regrown_channel_leaves_again_if_it_does_not(run):
    me, _, network, lines = run(FIRST, (0, 0, 0.2, 0.2), regrow_share=0.5)  # 0.7 against 0.8
    assert network.announced[1][1] == "1100"
    assert [x for x in lines if isinstance(x, records.Regrown)][-1] == records.Regrown(1, 1, 0)
    assert me.deployment.weights.tensors["bn.weight"].tolist() == np.float32([0.9, 0.8]).tolist()


def test_w0_pruned_first_is_never_dense(run):
    _, learner, network, _ = run(FIRST, FIRST, prune_w0=True, mask_by="random-common")
    masks = {mask for _, mask, *_ in learner.trained} | {s for _, s in network.announced}
    assert len(masks) == 1
    assert masks.pop().count("1") == 2


def test_a_mask_of_w0_follows_the_data_while_the_structure_stays(run):
    later = (0, 0, 0.4, 0.4)  # other data; too little for the structure
    _, learner, network, lines = run(
        FIRST, later, later, similarity_by="gamma-of-w0", similarity_memory=0, warmup_epochs=3
    )
    assert network.announced == [("1100", "1100"), ("0011", "1100"), ("0011", "1100")]
    # Round 0 trains W0 anyway. Later W0 is trained beside, at the first rate, for --epochs.
    assert learner.trained == [
        (0, "1111", 3, 0.1),
        (1, "1100", 2, 0.05),
        (1, "1111", 2, 0.1),
        (2, "1100", 2, 0.025),
        (2, "1111", 2, 0.1),
    ]
    probes = [x for x in lines if isinstance(x, records.Probed)]
    assert [x.round for x in probes] == [1, 2]
    assert all(x.parameters == LAYOUT.n_parameters(ALL) for x in probes)


def test_between_two_trainings_of_w0_the_last_mask_holds(run):
    moves = (FIRST, (0, 0, 9, 9), (0, 0, 0.4, 0.4), FIRST)
    rare = {"similarity_every": 2, "similarity_epochs": 1}
    _, learner, network, _ = run(
        *moves, similarity_by="gamma-of-w0", similarity_memory=0, warmup_epochs=4, **rare
    )
    assert [mask for mask, _ in network.announced] == ["1100", "1100", "0011", "0011"]
    of_w0 = [(t, epochs) for t, mask, epochs, _ in learner.trained if mask == "1111"]
    assert of_w0 == [(0, 4), (2, 1)]


def test_remembered_scores_outvote_one_odd_round_and_are_saved(run):
    odd = (0, 0, 0.1, 0.1)
    kept = {"similarity_by": "gamma-of-w0", "similarity_memory": 0.9}
    me, _, network, _ = run(FIRST, FIRST, odd, **kept)
    assert [mask for mask, _ in network.announced] == ["1100"] * 3
    (saved,) = load_memory(me.spec.state_path).values()
    first = np.array([0.9, 0.8, 0.7, 0.6]) / 0.75
    last = np.array([0.5, 0.5, 0.6, 0.6]) / 0.55
    np.testing.assert_allclose(saved, 0.9 * (0.9 * first + first) + last, rtol=1e-6)


def test_a_later_process_of_the_peer_remembers_them_too(run):
    moves = (FIRST, (0, 0, 0.1, 0.1), (0, 0, 0.1, 0.1), (0, 0, 0.1, 0.1))
    kept = {"similarity_by": "gamma-of-w0", "similarity_memory": 0.8, "regrow_share": 0.5}
    *_, whole, _ = run(*moves, **kept)
    run(*moves, killed_in=2, **kept)
    *_, rest, _ = run(*moves, process=Incarnation(number=1, source="state", first_round=2), **kept)
    assert len({mask for mask, _ in whole.announced}) > 1
    assert rest.announced == whole.announced[2:]


def test_by_default_nothing_is_remembered(run):
    me, *_ = run(FIRST, FIRST)
    assert load_memory(me.spec.state_path) == {}
    assert isinstance(me.announced, PackedMask)
