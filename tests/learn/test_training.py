import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from prisam_p2p.core.layout import Weights, narrow
from prisam_p2p.learn import training
from prisam_p2p.learn.learner import Learner, initial_weights
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.pace import Pace
from prisam_p2p.learn.splits import PeerData
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.training import Hyperparameters, Sgd

ASKED = Architecture("vgg-s", 0.25, 3, (1, 8, 8))
HOW = Hyperparameters(batch_size=8, momentum=0.9, gamma_l1=0.0)


def images_and_labels(n=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(n, 1, 8, 8, generator=generator)
    return images, torch.randint(0, 3, (n,), generator=generator)


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )


def train(net, *, n=20, epochs=2, seed=1, how=HOW, after_step=lambda: None, rate=0.05, **more):
    images, labels = images_and_labels(n)
    return training.train(
        net,
        images,
        labels,
        epochs=epochs,
        learning_rate=rate,
        how=how,
        seed=seed,
        after_step=after_step,
        **more,
    )


def parameters(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_equals_that_of_torch(momentum, decay):
    images, labels = images_and_labels()
    ours, theirs = small_net(), small_net()
    how = {"momentum": momentum, "weight_decay": decay}
    steps = [
        (ours, Sgd(ours, 0.05, momentum, decay)),
        (theirs, torch.optim.SGD(theirs.parameters(), lr=0.05, **how)),
    ]
    before = parameters(ours)
    for _ in range(6):
        for net, optimizer in steps:
            net.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(images), labels).backward()
            optimizer.step()
        assert torch.equal(parameters(ours), parameters(theirs))
    assert not torch.equal(parameters(ours), before)


def test_training_equals_a_plain_torch_loop_in_the_same_order():
    net, twin = small_net(), small_net()
    outcome = train(net, epochs=2, seed=5)
    images, labels = images_and_labels()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    torch.manual_seed(5)
    losses = []
    for _ in range(2):
        order = torch.randperm(20)
        for batch in (order[:8], order[8:16], order[16:]):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(twin(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            losses += [loss.item()] * len(batch)
    assert torch.equal(parameters(net), parameters(twin))
    assert outcome.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert (outcome.steps, outcome.images) == (6, 40)


HEAD, BODY = ["4.weight", "4.bias"], ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_parts_are_trained_in_turn_as_a_torch_loop_with_frozen_parameters_does():
    net, twin = small_net(), small_net()
    outcome = train(net, epochs=1, seed=5, in_turn=[HEAD, BODY])
    images, labels = images_and_labels()
    torch.manual_seed(5)
    for part in (HEAD, BODY):
        trained = [p for name, p in twin.named_parameters() if name in part]
        optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9)
        order = torch.randperm(20)
        for batch in (order[:8], order[8:16], order[16:]):
            twin.zero_grad()
            nn.functional.cross_entropy(twin(images[batch]), labels[batch]).backward()
            optimizer.step()
    assert torch.equal(parameters(net), parameters(twin))
    assert (outcome.steps, outcome.images) == (6, 40)
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("part", [HEAD, BODY], ids=["head", "body"])
def test_what_is_not_in_the_part_keeps_its_values(part):
    net, before = small_net(), dict(small_net().named_parameters())
    train(net, in_turn=[part], how=Hyperparameters(8, 0.9, 0.01))
    changed = {n for n, p in net.named_parameters() if not torch.equal(p, before[n])}
    assert changed  # the bias of a convolution before BN has no gradient
    assert changed <= set(part)


def test_one_part_of_all_parameters_is_no_part():
    net, twin = small_net(), small_net()
    assert train(net, in_turn=[HEAD + BODY]) == train(twin)
    assert torch.equal(parameters(net), parameters(twin))


def test_training_depends_on_its_seed_alone():
    nets = [small_net() for _ in range(3)]
    outcomes = []
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        torch.manual_seed(seed * 100 + len(outcomes))  # earlier draws do not matter
        outcomes.append(train(net, seed=seed))
    assert torch.equal(parameters(nets[0]), parameters(nets[1]))
    assert outcomes[0] == outcomes[1]
    assert not torch.equal(parameters(nets[0]), parameters(nets[2]))


@pytest.mark.parametrize(
    ("n", "steps", "images"), [(20, 3, 20), (19, 2, 16), (12, 2, 12), (11, 1, 8), (4, 1, 4)]
)
def test_a_last_batch_of_fewer_than_four_images_is_dropped(n, steps, images):
    outcome = train(small_net(), n=n, epochs=1)
    assert (outcome.steps, outcome.images) == (steps, images)


def test_without_a_full_batch_there_is_no_step():
    net = small_net()
    before, calls = parameters(net), []
    outcome = train(net, n=3, after_step=lambda: calls.append(1))
    assert outcome == training.TrainingOutcome(0, 0, None)
    assert torch.equal(parameters(net), before)
    assert not calls


def test_training_can_be_stopped_after_every_step():
    calls = []

    def stop_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(small_net(), epochs=9, after_step=stop_at_the_third)
    assert len(calls) == 3


def test_training_changes_the_running_statistics():
    net = small_net().eval()
    train(net)
    assert net.training
    assert net[1].num_batches_tracked == 6


def test_gamma_l1_pulls_gammas_to_zero_and_nothing_else():
    """In one step of plain SGD, the penalty is exactly rate x lambda x sign(gamma)."""
    plain, pulled = small_net(), small_net()
    signs = torch.tensor([1.0, -1.0, 1.0, 0.0])
    for net in (plain, pulled):
        net[1].weight.data = 0.5 * signs
    for net, gamma_l1 in ((plain, 0.0), (pulled, 0.1)):
        train(net, n=8, epochs=1, how=Hyperparameters(8, 0.0, gamma_l1), rate=0.5)
    for (name, one), other in zip(plain.named_parameters(), pulled.parameters(), strict=True):
        expected = one - 0.5 * 0.1 * signs if name == "1.weight" else one
        assert torch.allclose(other, expected, atol=1e-7), name


def test_weight_decay_shrinks_all_parameters_and_its_default_is_none():
    """In one step of plain SGD, it takes exactly rate x decay of each parameter."""
    plain, decayed = small_net(), small_net()
    before = dict(small_net().named_parameters())
    train(plain, n=8, epochs=1, how=Hyperparameters(8, 0.0, 0.0), rate=0.5)
    train(decayed, n=8, epochs=1, how=Hyperparameters(8, 0.0, 0.0, weight_decay=0.1), rate=0.5)
    for (name, one), other in zip(plain.named_parameters(), decayed.parameters(), strict=True):
        assert torch.allclose(other, one - 0.5 * 0.1 * before[name], atol=1e-7), name


class Sees(nn.Module):
    """Keeps what it is given, in order."""

    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(64, 3), []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return self.linear(images.flatten(1))


def seen_by_training(*, flips, seed=1):
    net = Sees()
    train(net, n=20, epochs=10, seed=seed, how=Hyperparameters(8, 0.9, 0.0, flips=flips))
    return torch.cat(net.seen)


def test_flips_mirror_half_of_the_images_and_leave_their_order():
    as_they_are, flipped = seen_by_training(flips=False), seen_by_training(flips=True)
    same = (flipped == as_they_are).all((1, 2, 3))
    mirrored = (flipped == as_they_are.flip(3)).all((1, 2, 3))
    assert (same | mirrored).all()
    assert not (same & mirrored).any()
    assert 70 < mirrored.sum() < 130  # of 200
    assert torch.equal(flipped, seen_by_training(flips=True))
    other = seen_by_training(flips=True, seed=2)
    assert not torch.equal(
        mirrored, (other == seen_by_training(flips=False, seed=2)).all((1, 2, 3))
    )


def test_an_anchor_draws_parameters_to_its_values():
    """In one step of plain SGD, by exactly rate x strength x what lies between."""
    plain, drawn = small_net(), small_net()
    before, aim = dict(small_net().named_parameters()), dict(small_net(9).named_parameters())
    how = Hyperparameters(8, 0.0, 0.0)
    train(plain, n=8, epochs=1, how=how, rate=0.5)
    train(drawn, n=8, epochs=1, how=how, rate=0.5, anchor=training.Anchor(aim, 0.2))
    for (name, one), other in zip(plain.named_parameters(), drawn.parameters(), strict=True):
        expected = one - 0.5 * 0.2 * (before[name] - aim[name])
        assert torch.allclose(other, expected, atol=1e-6), name


def test_recalibration_is_the_plain_mean_of_the_batches_statistics():
    net = small_net()
    images, _ = images_and_labels(70)  # 32, 32 and 6 images
    net[1].running_mean += 3  # earlier statistics are forgotten
    net[1].num_batches_tracked += 11
    before = parameters(net)
    training.recalibrate(net, images)
    with torch.no_grad():
        blocks = [net[0](block) for block in torch.split(images, 32)]
    means = torch.stack([block.mean((0, 2, 3)) for block in blocks]).mean(0)
    variances = torch.stack([block.var((0, 2, 3)) for block in blocks]).mean(0)
    assert torch.allclose(net[1].running_mean, means, atol=1e-6)
    assert torch.allclose(net[1].running_var, variances, atol=1e-6)
    assert net[1].num_batches_tracked == 3
    assert net[1].momentum == 0.1
    assert torch.equal(parameters(net), before)


def test_recalibration_drops_a_last_block_of_fewer_than_four_images():
    net, twin = small_net(), small_net()
    images, _ = images_and_labels(35)
    training.recalibrate(net, images)
    training.recalibrate(twin, images[:32])
    assert net[1].num_batches_tracked == 1
    assert torch.equal(net[1].running_var, twin[1].running_var)


def test_accuracy_is_the_share_of_right_answers():
    logits = torch.tensor([[2.0, 1, 0], [0, 3, 1], [0, 1, 5], [9, 0, 0], [1, 0, 2]])
    labels = torch.tensor([0, 1, 2, 1, 0])
    assert training.accuracy(nn.Identity(), logits, labels) == pytest.approx(0.6)


def test_accuracy_covers_all_blocks_in_evaluation_mode():
    net = small_net()
    images, labels = images_and_labels(70)
    got = training.accuracy(net, images, labels)
    assert not net.training
    with torch.no_grad():
        expected = (net(images).argmax(1) == labels).float().mean()
    assert got == pytest.approx(float(expected))
    assert net[1].num_batches_tracked == 0


# -- the device around it --------------------------------------------------------------------


def learner(seed=3, how=HOW):
    images, labels = images_and_labels(40)
    rows = np.arange(40)
    data = PeerData(rows[:20], rows[20:26], rows[26:], None)
    return Learner(ASKED, images.numpy(), labels.numpy(), data, how, seed, "cpu")


def train_once(weights, *, device=None, round_index=0, **more):
    pace = Pace(1, lambda _: None)
    return (device or learner()).train(
        weights, round_index=round_index, epochs=1, learning_rate=0.05, pace=pace, **more
    )[0]


def slim_weights():
    layout = layout_of(ASKED)
    mask = np.arange(layout.n_bits) % 3 > 0
    return narrow(layout, initial_weights(ASKED, 0), mask)


def frozen(weights):
    """Return read-only `weights`, like those from a neighbor's buffer."""
    copies = {name: array.copy() for name, array in weights.tensors.items()}
    for array in copies.values():
        array.flags.writeable = False
    return Weights(weights.mask, copies)


def bytes_of(weights):
    return {name: array.tobytes() for name, array in weights.tensors.items()}


def test_w0_is_cached_and_read_only():
    weights = initial_weights(ASKED, 0)
    assert weights is initial_weights(ASKED, 0)
    assert not any(array.flags.writeable for array in weights.tensors.values())
    assert bytes_of(weights) != bytes_of(initial_weights(ASKED, 1))


@pytest.mark.parametrize("step", ["train", "recalibrate", "accuracy"])
def test_a_step_does_not_change_the_weights_that_it_is_given(step):
    weights, device = frozen(slim_weights()), learner()
    before = bytes_of(weights)
    if step == "train":
        trained = train_once(weights, device=device)
        assert trained.mask is weights.mask
        assert bytes_of(trained) != before
    elif step == "recalibrate":
        assert bytes_of(device.recalibrate(weights)) != before
    else:
        device.accuracy(weights)
    assert bytes_of(weights) == before


def test_trained_weights_do_not_change_with_the_next_training():
    device = learner()
    first = train_once(slim_weights(), device=device)
    before = bytes_of(first)
    train_once(first, device=device, round_index=1)
    assert bytes_of(first) == before


def test_training_depends_on_the_devices_seed_and_the_round():
    weights = slim_weights()
    results = [
        bytes_of(train_once(weights, device=learner(seed), round_index=t))
        for seed, t in ((3, 0), (3, 0), (3, 1), (4, 0))
    ]
    assert results[0] == results[1]
    assert results[0] != results[2] != results[3] != results[0]


def test_flips_depend_on_the_devices_seed_and_the_round():
    weights, how = slim_weights(), Hyperparameters(8, 0.9, 0.0, flips=True)
    results = [
        bytes_of(train_once(weights, device=learner(seed, how), round_index=t))
        for seed, t in ((3, 0), (3, 0), (3, 1), (4, 0))
    ]
    assert results[0] == results[1]
    assert results[0] != results[2] != results[3] != results[0]
    assert results[0] != bytes_of(train_once(weights))


def test_slim_weights_are_drawn_to_slim_weights():
    """A strong pull keeps them closer to where it leads."""
    weights = slim_weights()

    def distance(strength):
        drawn = train_once(weights, toward=weights, strength=strength)
        return sum(
            float(np.square(drawn.tensors[t.name] - weights.tensors[t.name]).sum())
            for t in layout_of(ASKED).tensors
            if t.trainable
        )

    assert distance(5.0) < distance(0.5) < distance(0.0)
    assert bytes_of(train_once(weights, toward=weights)) == bytes_of(train_once(weights))


def test_recalibration_changes_the_statistics_only():
    weights = slim_weights()
    after = bytes_of(learner().recalibrate(weights))
    changed = {name for name, before in bytes_of(weights).items() if after[name] != before}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {name for name in after if name.endswith(statistics)}


def test_validation_and_test_accuracy_use_different_images():
    """With wrong labels on the test images, only the validation accuracy is high."""
    images, _ = images_and_labels(40)
    weights = initial_weights(ASKED, 0)
    data = PeerData(np.arange(8), np.arange(8, 20), np.arange(20, 40), None)
    labels = np.zeros(40, np.int64)
    device = Learner(ASKED, images.numpy(), labels, data, HOW, 0, "cpu")
    found = device.accuracy(weights)
    shares = []
    for label in range(3):
        labels[:] = label
        device = Learner(ASKED, images.numpy(), labels, data, HOW, 0, "cpu")
        shares.append(device.accuracy(weights))
    assert shares[0] == found
    assert [share.of for share in shares] == [(20, 0, 0), (0, 20, 0), (0, 0, 20)]
    for share in shares:
        assert sum(share.right) == round(20 * share.test)
        assert all(right <= of for right, of in zip(share.right, share.of, strict=True))
    assert sum(share.validation for share in shares) == pytest.approx(1)
    assert sum(share.test for share in shares) == pytest.approx(1)
    labels[20:30] = 1
    mixed = Learner(ASKED, images.numpy(), labels, data, HOW, 0, "cpu").accuracy(weights)
    assert mixed.of == (0, 10, 10)
    assert sum(mixed.right) == round(20 * mixed.test)
    labels[20:] = 3  # a class that does not exist
    device = Learner(ASKED, images.numpy(), labels, data, HOW, 0, "cpu")
    assert device.accuracy(weights).test == 0


_NO_DYNAMO = """
import sys, torch
from prisam_p2p.learn import training, warm_up
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import slim_module
asked = Architecture("vgg-s", 0.25, 3, (1, 8, 8))
warm_up.training_step(asked, 0, 4)()
net = slim_module(asked, initial_weights(asked, 0))
images, labels = torch.zeros(8, 1, 8, 8), torch.zeros(8, dtype=torch.int64)
how = training.Hyperparameters(4, 0.9, 0.1)
training.train(net, images, labels, epochs=1, learning_rate=0.1, how=how, seed=0,
               after_step=lambda: None)
training.recalibrate(net, images)
training.accuracy(net, images, labels)
print(sum(name.startswith("torch._dynamo") for name in sys.modules))
"""


def test_training_does_not_import_dynamo():
    done = subprocess.run(
        [sys.executable, "-c", _NO_DYNAMO], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "0", done.stderr
