import numpy as np
import pytest
import torch
from torch import nn

from prisam_p2p.core.entrywise import entries_of, entrywise, network_of
from prisam_p2p.core.erk import erk_mask
from prisam_p2p.learn import training
from prisam_p2p.learn.entry_learner import EntryLearner
from prisam_p2p.learn.learner import Learner, initial_weights
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.pace import Pace
from prisam_p2p.learn.splits import PeerData
from prisam_p2p.learn.structure import layout_of, slim_module
from prisam_p2p.learn.training import Hyperparameters

ASKED = Architecture("vgg-s", 0.25, 3, (1, 8, 8))
HOW = Hyperparameters(batch_size=8, momentum=0.9, gamma_l1=0.0)
LAYOUT = entrywise(layout_of(ASKED))
W0 = initial_weights(ASKED, 0)
ROWS = np.arange(40)
DATA = PeerData(ROWS[:24], ROWS[24:32], ROWS[32:], None)


def given():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((40, 1, 8, 8), np.float32)
    return ASKED, images, rng.integers(0, 3, 40), DATA, HOW, 3, "cpu"


def learners():
    return Learner(*given()), EntryLearner(LAYOUT, *given())


def train(learner, weights):
    pace = Pace(1.0, lambda _s: None)
    return learner.train(weights, round_index=0, epochs=2, learning_rate=0.05, pace=pace)


def test_with_all_entries_training_equals_that_of_the_dense_network():
    whole, entrywise_ = learners()
    expected, outcome = train(whole, whole.initial_weights(0))
    found, same_outcome = train(entrywise_, entrywise_.initial_weights(0))
    assert same_outcome == outcome
    for name, array in network_of(LAYOUT, found).tensors.items():
        assert array.tobytes() == expected.tensors[name].tobytes()


def test_training_changes_kept_entries_only():
    _, learner = learners()
    mask = erk_mask(LAYOUT, 0.5, 0)
    before = entries_of(LAYOUT, W0, mask)
    after, _ = train(learner, before)
    assert after.mask is mask
    conv = next(name for name in after.tensors if name.endswith(".weight"))
    assert after.tensors[conv].shape == before.tensors[conv].shape
    assert not np.array_equal(after.tensors[conv], before.tensors[conv])
    # the initial values of dropped entries do not matter
    other = {name: a.copy() for name, a in W0.tensors.items()}
    for tensor, span in LAYOUT.governed():
        other[tensor.name].reshape(-1)[~mask[span]] = 100.0
    twin, _ = train(learner, entries_of(LAYOUT, type(W0)(W0.mask, other), mask))
    for name, array in after.tensors.items():
        assert array.tobytes() == twin.tensors[name].tobytes()


@pytest.mark.parametrize("step", ["recalibrate", "accuracy", "loss"])
def test_other_steps_equal_those_of_the_network_with_zeros(step):
    whole, learner = learners()
    entries = entries_of(LAYOUT, W0, erk_mask(LAYOUT, 0.5, 0))
    expected = getattr(whole, step)(network_of(LAYOUT, entries))
    found = getattr(learner, step)(entries)
    if step == "recalibrate":
        assert found.mask.tolist() == entries.mask.tolist()
        statistics = [n for n in expected.tensors if "running" in n]
        assert statistics
        assert all(np.array_equal(found.tensors[n], expected.tensors[n]) for n in statistics)
    else:
        assert found == expected


def test_loss_is_the_mean_cross_entropy_on_the_training_images():
    learner, _ = learners()
    _, images, labels, data, *_ = given()
    net = slim_module(ASKED, W0).eval()
    with torch.no_grad():
        logits = net(torch.from_numpy(images[data.train]))
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(labels[data.train]))
    assert learner.loss(W0) == pytest.approx(float(expected), rel=1e-5)


def test_loss_is_a_mean_over_images_and_not_over_blocks():
    net = nn.Linear(2, 2)
    images, labels = torch.randn(33, 2), torch.zeros(33, dtype=torch.int64)  # blocks of 32 and 1
    expected = float(nn.functional.cross_entropy(net(images), labels).detach())
    assert training.loss(net, images, labels) == pytest.approx(expected, rel=1e-5)


def test_gradients_match_a_calculation_by_hand_and_keep_bn_statistics():
    """With one weight and one image, d(-log softmax)/dw = (p - 1) x for the correct class."""
    net = nn.Sequential(nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        net[0].weight.zero_()
    images, labels = torch.tensor([[3.0]]), torch.tensor([0])
    found = training.gradients(net, images, labels, batch_size=8, seed=0)
    assert found["0.weight"].flatten().tolist() == [-1.5, 1.5]

    learner, _ = learners()
    found = learner.gradients(W0, round_index=0)
    trainable = {t.name: t.shape for t in layout_of(ASKED).tensors if t.trainable}
    assert {name: array.shape for name, array in found.items()} == trainable


def test_gradients_are_dense_also_for_dropped_entries():
    _, learner = learners()
    mask = erk_mask(LAYOUT, 0.5, 0)
    found = learner.gradients(entries_of(LAYOUT, W0, mask), round_index=0)
    shares = [
        (found[tensor.name].reshape(-1)[~mask[span]] != 0).mean()
        for tensor, span in LAYOUT.governed()
        if not mask[span].all()
    ]
    assert shares
    assert min(shares) > 0  # inactive ReLUs pass no gradient
