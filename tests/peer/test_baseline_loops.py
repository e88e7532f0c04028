"""One round of every method, by hand: the real steps and loop, training and network made up.

Training adds 1 to every weight, so this peer, b, offers 1 everywhere; its neighbors a and c offer
what a test says. What b has after aggregation is worked out in the comments.
"""

from collections import Counter

import numpy as np
import pytest
from tiny_layouts import one_layer

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.control.spec import DeviceSpec, Incarnation, PeerSpec
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.entrywise import entrywise
from prisam_p2p.core.erk import erk_mask
from prisam_p2p.core.layout import Weights, narrow, widen
from prisam_p2p.core.model_choice import announced
from prisam_p2p.core.peer_choice import draw_by_similarity, similarities
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.learner import Accuracy
from prisam_p2p.learn.training import TrainingOutcome
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.settings import RunSettings

LAYOUT = one_layer(channels=4, inputs=1)


def constant(value, layout=LAYOUT, mask=None):
    """Weights that are `value` everywhere, counters 0."""
    tensors = {
        t.name: np.full(t.shape, value if t.dtype.kind == "f" else 0, t.dtype)
        for t in layout.tensors
    }
    whole = Weights(layout.full_mask(), tensors)
    return whole if mask is None else narrow(layout, whole, mask)


def mask_of(bits):
    return np.array([bit == "1" for bit in bits])


def packed(bits):
    return PackedMask.pack(mask_of(bits))


class AddsOne:
    """A learner: training adds 1; a model's loss is its bias."""

    n_train = 4

    def initial_weights(self, seed):
        return constant(20)

    def macs(self, mask):
        return 10

    def layer_macs(self, mask):
        return {"layer": 10}

    def train(self, weights, **_):
        added = {n: a + (a.dtype.kind == "f") for n, a in weights.tensors.items()}
        return Weights(weights.mask, added), TrainingOutcome(1, 4, 0.5)

    def recalibrate(self, weights):
        return weights

    def accuracy(self, weights):
        return Accuracy(0.5, 0.5)

    def loss(self, weights):
        return float(weights.tensors["linear.bias"][0])

    def gradients(self, weights, round_index):
        return {t.name: np.ones(t.shape, np.float32) for t in LAYOUT.tensors if t.trainable}


class Offers:
    """A network: what the neighbors offer in every round, and the masks that they announce."""

    def __init__(self, offers, masks):
        self.offers, self.masks = offers, masks
        self.announced, self.pulled = [], []

    def announce(self, t, mask, weights):
        self.announced.append((mask, weights))

    def hear(self, t):
        return self.masks

    def pull(self, t, donors, wanted):
        self.pulled.append(sorted(donors))
        return {donor: self.offers[donor] for donor in donors}

    def reached(self):
        return 0

    def write_traffic(self, t):
        pass

    def bytes_out(self):
        return 0

    def payload_bytes(self):
        return 0, 0


class Nothing:
    def write(self, record):
        pass


@pytest.fixture
def run(tmp_path):
    """Run an algorithm for one round; return b's deployed models and its network."""

    def one_round(
        algorithm, offers, *, layout=LAYOUT, masks=None, rho=0.0, degrees=None, learner=None, **more
    ):
        (tmp_path / "state").mkdir(exist_ok=True)
        found = Algorithm(algorithm)
        spec = PeerSpec.model_construct(
            peer_id="b",
            index=1,
            run_dir=tmp_path,
            neighbors=sorted(offers),
            degrees=degrees or dict.fromkeys(offers, len(offers)),
            true_group=["b", "c"],
            fan_in=more.pop("fan_in", 2),
            turns_fd=None,
            cores=1,
            clusters=2,
            similarity_ratio=rho,
            device=DeviceSpec.model_construct(prune_ratio=rho, speed=0.9),
            traits=found.traits,
            settings=RunSettings(rounds=1, algorithm=algorithm, norm_limit=1e9, **more),
        )
        heard = masks or dict.fromkeys(offers, np.zeros(0, np.bool_))
        network = None if algorithm == "local" else Offers(offers, heard)
        made = (
            learner or AddsOne(),
            network,
            Nothing(),
            lambda s: None,
            lambda e: None,
            lambda: None,
        )
        me = BaselinePeer(spec, Incarnation(), layout, constant(0, layout), *made)
        kept = {}

        def deploy(candidates):
            kept.update(candidates)
            BaselinePeer.deploy(me, candidates)

        me.deploy = deploy
        LOOPS[found](me)
        one_round.peer = me
        return kept, network

    return one_round


def values(weights):
    """All floats of whole weights, which are one number."""
    (value,) = {float(x) for a in weights.tensors.values() if a.dtype.kind == "f" for x in a.flat}
    return value


@pytest.mark.parametrize(
    ("parts", "told"),
    [([["linear.bias"], ["nope"]], r"not \['nope'\]"), ([[]], "not none")],
    ids=["an unknown parameter", "an empty part"],
)
def test_parts_that_cannot_be_trained_are_refused(run, monkeypatch, parts, told):
    monkeypatch.setitem(LOOPS, Algorithm.LOCAL, lambda me: me.train(0, me.begin()[0], parts))
    with pytest.raises(ConfigError, match=f"in_turn= of names of parameters, {told}"):
        run("local", {})


def test_local_keeps_what_it_trained(run):
    models, _ = run("local", {})
    assert {moment: values(w) for moment, w in models.items()} == {"after_training": 1.0}


@pytest.mark.parametrize(
    ("algorithm", "more", "expected"),
    [
        ("fedavg-random", {}, (4 + 1 + 10) / 3),
        ("oracle", {}, (1 + 10) / 2),  # c is of its group
        ("pens", {"fan_in": 1, "pens_rounds": 1}, (4 + 1) / 2),  # of both, a's loss is lower
        ("pens", {"pens_rounds": 0}, (4 + 1 + 10) / 3),  # phase 2: no favorites yet, any two
    ],
)
def test_whole_models_are_averaged(run, algorithm, more, expected):
    models, network = run(algorithm, {"a": constant(4), "c": constant(10)}, **more)
    assert values(models["after_training"]) == 1.0
    assert values(models["after_aggregation"]) == expected
    ((mask, offered),) = network.announced
    assert (mask.n_bits, values(offered)) == (0, 1.0)


OFFERS = {"a": constant(4), "c": constant(10)}


class Recalibrates(AddsOne):
    """A learner whose recalibration makes all weights 7, and what it evaluated."""

    def __init__(self):
        self.evaluated = []

    def recalibrate(self, weights):
        return constant(7)

    def accuracy(self, weights):
        self.evaluated.append(values(weights))
        return Accuracy(-self.evaluated[-1], 0.5)


@pytest.mark.parametrize(
    ("trained", "averaged", "evaluated"),
    [(False, False, [1, 5]), (False, True, [1, 7]), (True, False, [7, 5]), (True, True, [7, 7])],
)
def test_the_trained_model_is_recalibrated_where_it_is_evaluated_and_deployed(
    run, trained, averaged, evaluated
):
    learner, how = Recalibrates(), {"recalibrate_trained": trained, "bn_recalibration": averaged}
    _, network = run("fedavg-random", OFFERS, learner=learner, **how)
    assert learner.evaluated == evaluated
    assert values(run.peer.deployment.weights) == min(evaluated)
    ((_, offered),) = network.announced
    assert values(offered) == 1.0  # neighbors get it as it was trained


@pytest.mark.parametrize("algorithm", ["d-psgd", "d-psgd-ft"])
@pytest.mark.parametrize(
    ("offers", "degrees", "expected"),
    [
        ({"a": 4, "c": 10}, {"a": 1, "c": 1}, (4 + 1 + 10) / 3),  # the middle of a path
        ({"c": 10}, {"c": 2}, 1 * 2 / 3 + 10 / 3),  # its end: c counts a third
        ({"a": 4, "c": 10}, {"a": 3, "c": 1}, 4 / 4 + 10 / 3 + 1 * (1 - 1 / 4 - 1 / 3)),
    ],
)
def test_d_psgd_mixes_by_metropolis_weights(run, algorithm, offers, degrees, expected):
    models, _ = run(algorithm, {p: constant(v) for p, v in offers.items()}, degrees=degrees)
    found = {moment: values(weights) for moment, weights in models.items()}
    tuned = {"after_fine_tuning": expected + 1} if algorithm == "d-psgd-ft" else {}
    assert found == pytest.approx({"after_aggregation": expected} | tuned)


class Notes(AddsOne):
    """A learner that adds 2 where it is drawn to something, and notes how it was asked to train."""

    def __init__(self):
        self.asked = []

    def train(self, weights, **how):
        self.asked.append(how)
        more = 1 if how["toward"] is not None else 0
        trained, outcome = super().train(weights)
        added = {n: a + more * (a.dtype.kind == "f") for n, a in trained.tensors.items()}
        return Weights(trained.mask, added), outcome


def test_fedavg_ft_trains_the_last_average_further_at_a_rate_of_its_own(run):
    learner, how = Notes(), {"finetune_epochs": 7, "finetune_rate": 0.03, "learning_rate": 0.1}
    models, network = run("fedavg-ft", OFFERS, learner=learner, **how)
    assert {moment: values(w) for moment, w in models.items()} == {
        "after_aggregation": 5.0,
        "after_fine_tuning": 6.0,
    }
    asked = [(how["epochs"], how["learning_rate"]) for how in learner.asked]
    assert asked == [(3, 0.1), (7, 0.03)]
    assert len(network.announced) == 1


def test_ditto_averages_a_common_model_and_trains_a_personal_one_drawn_to_it(run):
    learner = Notes()
    models, network = run("ditto", OFFERS, learner=learner, ditto_lambda=0.25)
    assert values(models["after_training"]) == 2.0  # the personal one
    assert values(models["after_aggregation"]) == (4 + 1 + 10) / 3
    assert values(network.announced[0][1]) == 1.0
    common, personal = learner.asked
    assert (common["toward"], common["strength"]) == (None, 0.0)
    assert (values(personal["toward"]), personal["strength"]) == (0.0, 0.25)
    assert (common["epochs"], common["learning_rate"]) == (
        personal["epochs"],
        personal["learning_rate"],
    )


HEAD = {"linear.weight", "linear.bias"}


def parts(weights):
    """Return the numbers that the body and the head consist of."""
    head = {n: a for n, a in weights.tensors.items() if n in HEAD}
    body = {n: a for n, a in weights.tensors.items() if n not in HEAD}
    return values(Weights(weights.mask, body)), values(Weights(weights.mask, head))


def test_fedrep_averages_bodies_and_keeps_the_head(run):
    learner = Notes()
    models, network = run("fedrep", OFFERS, learner=learner)
    assert parts(models["after_training"]) == (1.0, 1.0)
    assert parts(models["after_aggregation"]) == (5.0, 1.0)
    assert parts(network.announced[0][1]) == (1.0, 0.0)  # the head stays at home
    (how,) = learner.asked
    assert [set(part) for part in how["in_turn"][:3]] == [HEAD] * 3
    assert set(how["in_turn"][3]) == {t.name for t in LAYOUT.tensors if t.trainable} - HEAD


CHOICES = {"a": announced(0, 2), "c": announced(1, 2)}


@pytest.mark.parametrize(
    ("algorithm", "of_a", "expected", "chosen"),
    [
        # W0, of zeros, has the lower loss: b trains model 0, as a does; c trains model 1
        ("ifca", 4, ((1 + 4) / 2, (1 + 4) / 2), 0),
        ("ifca", 30, (10, 10), 1),  # model 0 is 15.5 now: c's fits better
        ("facade", 4, ((1 + 4 + 10) / 3, (1 + 4) / 2), 0),
        ("facade", 31, ((1 + 31 + 10) / 3, 10), 1),
    ],
)
def test_models_are_averaged_by_who_trained_them_and_chosen_by_the_own_loss(
    run, algorithm, of_a, expected, chosen
):
    offers = {"a": constant(of_a), "c": constant(10)}
    models, network = run(algorithm, offers, masks=CHOICES)
    assert values(models["after_training"]) == 1.0
    assert parts(models["after_aggregation"]) == expected
    ((mask, offered),) = network.announced
    assert (mask, values(offered)) == (announced(0, 2), 1.0)
    assert int(run.peer.memory["choice"]) == chosen
    kept = run.peer.remembered(f"model-{chosen}")
    assert parts(kept) == expected


def test_a_model_that_nobody_trained_stays_and_a_peer_that_names_none_is_left_out(run):
    masks = {"a": packed("11"), "c": announced(0, 2)}
    models, network = run("ifca", OFFERS, masks=masks)
    assert values(models["after_aggregation"]) == (1 + 10) / 2
    assert values(run.peer.remembered("model-1")) == 20
    assert network.pulled == [["c"]]


def test_dac_averages_with_whom_it_drew_and_remembers_how_well_they_fit(run):
    models, _ = run("dac", OFFERS)
    assert values(models["after_training"]) == 1.0
    assert values(models["after_aggregation"]) == (4 + 1 + 10) / 3
    known = similarities({"a": (1 / 4, 1), "c": (1 / 10, 1)}, ["a", "c"])
    drawn = draw_by_similarity(known, 1, 20.0, 0, 1, 1)
    run.peer.spec = run.peer.spec.model_copy(update={"fan_in": 1})
    assert run.peer.draw_similar(1, 20.0) == drawn == ("a",)


def gammas(weights):
    """Channel -> gamma, of those that a slim model has."""
    return dict(zip(np.flatnonzero(weights.mask), weights.tensors["bn.weight"], strict=True))


SLIM = {"a": constant(4, mask=mask_of("0110")), "c": constant(10, mask=mask_of("0011"))}


@pytest.mark.parametrize(
    ("algorithm", "kept", "bias", "pulled"),
    [
        # b has 1 on channels 0 and 1: the averages are 1, (1 + 4) / 2, (4 + 10) / 2, 10
        ("prisam-random", {2: 7.0, 3: 10.0}, 5.0, ["a", "c"]),
        # under b's own mask
        ("dis-pfl", {0: 1.0, 1: 2.5}, 5.0, ["a", "c"]),
        # with c alone: 1, 1, 10, 10
        ("oracle-pruned", {2: 10.0, 3: 10.0}, 5.5, ["c"]),
        # c announces b's mask, a another one
        ("prisam", {2: 10.0, 3: 10.0}, 5.5, ["c"]),
    ],
)
def test_slim_models_are_averaged_where_they_overlap_and_pruned(run, algorithm, kept, bias, pulled):
    masks = {"a": packed("0110"), "c": packed("1100")}
    models, network = run(algorithm, SLIM, masks=masks, rho=0.5)
    assert gammas(models["after_training"]) == {0: 1.0, 1: 1.0}
    assert gammas(models["after_aggregation"]) == kept
    assert models["after_aggregation"].tensors["linear.bias"].tolist() == [bias, bias]
    assert network.pulled == [pulled]


def test_exact_similarity_averages_whose_weights_moved_the_same_way(run):
    """All are pulled whole; c moved the same way, a the other; what is averaged is slim."""
    masks = {"a": packed("1100"), "c": packed("0110")}
    offers = {"a": constant(-4), "c": constant(10)}
    models, network = run("exact-similarity", offers, masks=masks, rho=0.5)
    # b has 1 on channels 0 and 1, c 10 on 1 and 2: 1, (1 + 10) / 2, 10, nobody
    assert gammas(models["after_aggregation"]) == {1: 5.5, 2: 10.0}
    assert network.pulled == [["a", "c"]]
    ((mask, offered),) = network.announced
    assert (mask, offered.mask.all()) == (packed("1100"), True)


def test_dis_pfl_erk_averages_over_who_retains_a_weight_and_then_takes_its_new_mask(run):
    layout = entrywise(LAYOUT)
    mine = erk_mask(layout, 0.5, seed=0)
    theirs = ~mine
    theirs[: len(mine) // 2] = True
    offers = {"a": constant(4, layout, theirs), "c": constant(10, layout, theirs)}
    models, _ = run("dis-pfl-erk", offers, layout=layout)
    after = models["after_aggregation"]
    assert models["after_training"].mask.tolist() == mine.tolist()
    found = widen(layout, after).tensors
    for tensor, span in layout.governed():
        both, we, they = mine[span] & theirs[span], mine[span], theirs[span]
        expected = np.select([both, we, they], [5.0, 1.0, 7.0], 0.0) * after.mask[span]
        assert found[tensor.name].tolist() == expected.tolist()
    assert after.mask.sum() == mine.sum()


class Counts(AddsOne):
    """A learner that counts how often it trains, by epochs, and computes a loss."""

    def __init__(self):
        self.trainings, self.losses = Counter(), 0

    def train(self, weights, *, epochs, in_turn=(), **_):
        self.trainings[epochs] += len(in_turn) or 1
        return super().train(weights)

    def loss(self, weights):
        self.losses += 1
        return super().loss(weights)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_algorithm_takes_what_it_declares(run, algorithm):
    masks = {"choice": CHOICES}.get(algorithm.traits.masks)
    how = {"offers": OFFERS, "masks": masks}
    if not algorithm.traits.dense:
        how = {"offers": SLIM, "masks": {"a": packed("0110"), "c": packed("1100")}, "rho": 0.5}
    if algorithm is Algorithm.EXACT_SIMILARITY:
        how["offers"] = {"a": constant(-4), "c": constant(10)}
    if algorithm.traits.entrywise:
        layout = entrywise(LAYOUT)
        how |= {"layout": layout, "offers": {peer: constant(4, layout) for peer in OFFERS}}
    learner, costs = Counts(), algorithm.costs
    more = {"fan_in": 1, "pens_rounds": 1, "warmup_epochs": 3, "finetune_epochs": 7}
    _, network = run(algorithm, learner=learner, **how, **more)
    pulled = len(network.pulled[0]) if network else 0
    kept = sum(key.endswith("/mask") for key in run.peer.memory)
    tuned = {7: 1} if costs.fine_tunes else {}
    assert learner.trainings == {3: costs.trainings} | tuned
    assert kept == {"none": 0, "personal": 1, "k": 2}[costs.keeps]
    assert pulled == {"nobody": 0, "drawn": 1, "group": 1, "tried": 2, "all": 2}[costs.pulls]
    compared = {"none": 0, "keeps": 2 * kept, "pulls": pulled}  # k models before the round, too
    assert learner.losses == compared[costs.compares]
