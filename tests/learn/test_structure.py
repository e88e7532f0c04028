from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from prisam_p2p.core.layout import UNGOVERNED, Weights, narrow, pack, unpack, widen
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn import structure
from prisam_p2p.learn.coupling import Coupling, Touch, couplings, layout_from
from prisam_p2p.learn.models import Architecture, build, empty
from prisam_p2p.learn.structure import layout_of, slim_module, state_of, weights_of

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
MODELS = {
    "vgg-s": (1, 8, 8),
    "vgg11": (3, 32, 32),
    "resnet20": (3, 8, 8),
    "resnet18": (3, 8, 8),
    "torchvision:resnet18": (3, 16, 16),
    "vgg16_bn": (3, 32, 32),
    "mobilenet_v2": (1, 32, 32),
    "densenet121": (3, 32, 32),
    "regnet_x_400mf": (3, 32, 32),  # grouped convolutions are not pruned
}


def architecture(name, image=None):
    return Architecture(name, 1.0, 10, image or MODELS[name])


def half_of(layout, seed=0):
    """Return a mask that keeps n - floor(n / 2) random channels of every set of n."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(layout.n_bits, np.bool_)
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        n = channel_set.size
        mask[span.start + rng.permutation(n)[: n - n // 2]] = True
    return mask


def scrambled(net, seed=0):
    """Randomize the BN layers of `net`, so that a wrong channel changes the output."""
    generator = torch.Generator().manual_seed(seed)
    for layer in net.modules():
        if isinstance(layer, BATCH_NORMS):
            uniform = partial(torch.rand, layer.num_features, generator=generator)
            layer.weight.data = uniform() + 0.5
            layer.bias.data = uniform() - 0.5
            layer.running_mean = uniform() - 0.5
            layer.running_var = uniform() + 0.5
            layer.num_batches_tracked += 11
    return net


def slim_and_masked(asked, mask):
    """Return the logits of the slim network and of the dense one with dropped channels zeroed."""
    layout = layout_of(asked)
    full = scrambled(build(asked, seed=1))
    slim_weights = narrow(layout, weights_of(full, layout.full_mask()), mask)
    slim = slim_module(asked, slim_weights).eval()
    zeroed = widen(layout, slim_weights).tensors
    full.load_state_dict({name: torch.from_numpy(array) for name, array in zeroed.items()})
    images = torch.randn(2, *asked.image_shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return slim(images), full.eval()(images)


@pytest.mark.parametrize("name", MODELS)
def test_a_slim_network_computes_the_same_as_the_masked_one(name):
    asked = architecture(name)
    slim, masked = slim_and_masked(asked, half_of(layout_of(asked)))
    scale = masked.abs().max()
    assert scale > 0
    assert torch.unique(masked, dim=0).shape == (2, 10)  # the images reach the output
    assert (slim - masked).abs().max() <= 1e-5 * max(1, scale)


@pytest.mark.parametrize("name", ["vgg-s", "resnet20"])
def test_each_set_may_keep_a_different_number_of_channels(name):
    asked = architecture(name)
    layout = layout_of(asked)
    mask = layout.full_mask()
    for i, span in enumerate(layout.spans):  # all, a third, one, all, ...
        mask[span] = np.arange(span.stop - span.start) % (1, 3, 10**6)[i % 3] == 0
    slim, masked = slim_and_masked(asked, mask)
    assert torch.allclose(slim, masked, atol=1e-5)


def test_the_layout_of_vgg_s_matches_one_by_hand():
    layout = layout_of(architecture("vgg-s"))
    assert [(s.name, s.size) for s in layout.sets] == [
        ("features.1", 16),
        ("features.5", 32),
        ("features.9", 64),
        ("features.13", 64),
    ]
    first, second, third, fourth = (np.arange(s.start, s.stop) for s in layout.spans)
    governed = {
        t.name: {axis: bits.tolist() for axis, bits in t.bits.items()} for t in layout.tensors
    }
    assert governed["features.0.weight"] == {0: first.tolist()}  # images are never pruned
    assert governed["features.4.weight"] == {0: second.tolist(), 1: first.tolist()}
    assert governed["features.8.weight"] == {0: third.tolist(), 1: second.tolist()}
    assert governed["features.12.weight"] == {0: fourth.tolist(), 1: third.tolist()}
    for part in ("weight", "bias", "running_mean", "running_var"):
        assert governed[f"features.5.{part}"] == {0: second.tolist()}
    assert governed["classifier.weight"] == {1: fourth.tolist()}  # nor are classes
    assert governed["classifier.bias"] == {}
    (view,) = layout.sets[1].views
    assert view.layer == "features.5"
    assert view.positions.tolist() == list(range(32))


def test_tensors_are_in_state_dict_order_with_counters_last():
    layout = layout_of(architecture("vgg-s"))
    names = [tensor.name for tensor in layout.tensors]
    assert names[:3] == ["features.0.weight", "features.1.weight", "features.1.bias"]
    assert names[-5] == "classifier.bias"
    assert [name.split(".")[-1] for name in names[-4:]] == ["num_batches_tracked"] * 4
    assert [t.dtype.str for t in layout.tensors] == ["<f4"] * (len(names) - 4) + ["<i8"] * 4
    assert [t.trainable for t in layout.tensors[:5]] == [True, True, True, False, False]
    assert list(state_of(build(architecture("vgg-s"), 0))) == names


def test_a_residual_stream_shares_one_bit():
    layout = layout_of(architecture("resnet18"))
    assert (layout.n_bits, layout.n_bn_channels) == (2_880, 4_800)
    stream = layout.sets[0]
    assert [view.layer for view in stream.views] == ["stem.1", "blocks.0.bn2", "blocks.1.bn2"]
    bits = {t.name: t.bits for t in layout.tensors}
    for name in ("stem.0.weight", "blocks.0.conv2.weight", "blocks.1.conv2.weight"):
        assert bits[name][0].tolist() == list(range(64))
    for name in ("blocks.0.conv1.weight", "blocks.2.conv1.weight", "blocks.2.shortcut.0.weight"):
        assert bits[name][1].tolist() == list(range(64))


def test_flattening_gives_one_bit_to_all_pixels_of_a_channel():
    asked = architecture("vgg16_bn")
    weight = next(t for t in layout_of(asked).tensors if t.name == "classifier.0.weight")
    last = layout_of(asked).spans[-1]
    assert weight.bits[1].tolist() == np.repeat(np.arange(last.start, last.stop), 49).tolist()
    assert 0 not in weight.bits  # the hidden layer has no BN, so it is not pruned


def test_pruning_a_depthwise_convolution_removes_filters_and_groups():
    asked = architecture("mobilenet_v2")
    layout = layout_of(asked)
    mask = half_of(layout)
    slim = slim_module(asked, narrow(layout, weights_of(build(asked, 0), layout.full_mask()), mask))
    depthwise = slim.net.features[2].conv[1][0]
    assert depthwise.groups == depthwise.in_channels == depthwise.out_channels == 48
    assert depthwise.weight.shape == (48, 1, 3, 3)


def test_behind_a_concatenation_every_source_is_a_set_of_its_own():
    layout = layout_of(architecture("densenet121"))
    assert layout.n_bn_channels == 41_824
    assert {s.size for s in layout.sets} == {32, 64, 128, 256, 512}
    norm = next(
        t for t in layout.tensors if t.name == "features.denseblock1.denselayer3.norm1.bias"
    )
    bits = norm.bits[0]
    assert UNGOVERNED not in bits
    owners = [i for i, s in enumerate(layout.spans) for b in bits if s.start <= b < s.stop]
    assert np.unique(owners, return_counts=True)[1].tolist() == [64, 32, 32]


@pytest.mark.parametrize("name", ["vgg-s", "resnet20", "mobilenet_v2", "densenet121"])
def test_the_views_of_a_set_are_the_positions_that_its_bits_govern(name):
    layout = layout_of(architecture(name))
    bits = {tensor.name: tensor.bits for tensor in layout.tensors}
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        assert channel_set.name == channel_set.views[0].layer
        others = {view.layer for view in channel_set.views[1:]}
        coupled = f" + {len(others)} coupled" if others else ""
        assert channel_set.title == channel_set.name + coupled
        for view in channel_set.views:
            governing = bits[f"{view.layer}.weight"][0][view.positions]
            assert governing.tolist() == list(range(span.start, span.stop))


def test_the_flat_buffer_restores_a_slim_network_exactly():
    asked = architecture("resnet20")
    layout = layout_of(asked)
    mask = half_of(layout)
    weights = narrow(layout, weights_of(scrambled(build(asked, 0)), layout.full_mask()), mask)
    again = weights_of(slim_module(asked, unpack(layout, mask, pack(layout, weights))), mask)
    assert list(again.tensors) == list(weights.tensors)
    for tensor in layout.tensors:
        array = again.tensors[tensor.name]
        assert array.shape == tensor.slim_shape(mask)
        assert array.dtype == tensor.dtype
        assert np.array_equal(array, weights.tensors[tensor.name])


def test_training_a_slim_network_does_not_change_the_snapshot():
    asked = architecture("vgg-s")
    snapshot = weights_of(build(asked, 0), layout_of(asked).full_mask())
    before = {name: array.copy() for name, array in snapshot.tensors.items()}
    net = slim_module(asked, snapshot)
    assert net.training
    net(torch.randn(4, 1, 8, 8)).square().sum().backward()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    after = state_of(net)
    assert not any(np.array_equal(after[name], before[name]) for name in before)
    assert all(np.array_equal(snapshot.tensors[name], before[name]) for name in before)


def test_a_copy_of_the_state_does_not_follow_the_network():
    net = build(architecture("vgg-s"), 0)
    state = state_of(net)
    with torch.no_grad():
        net.classifier.bias.fill_(7)
    assert not (state["classifier.bias"] == 7).any()


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_weights_of_another_network_are_refused(change):
    asked = architecture("vgg-s")
    tensors = state_of(build(asked, 0))
    if change == "missing":
        del tensors["classifier.bias"]
    else:
        tensors["classifier.extra"] = np.zeros(1, np.float32)
    with pytest.raises(ValueError, match=r"classifier\.(bias|extra)"):
        slim_module(asked, Weights(layout_of(asked).full_mask(), tensors))


def test_a_network_whose_channels_are_shuffled_is_refused():
    with pytest.raises(ConfigError, match=r"shufflenet_v2_x0_5.*pruned"):
        layout_of(architecture("shufflenet_v2_x0_5", (3, 32, 32)))


def test_a_torchvision_network_that_was_traced_wrongly_is_refused(monkeypatch):
    """The shapes fit but the values do not: the in-channels of a kernel are shifted by one."""

    def off_by_one(net, image_shape):
        found = couplings(net, image_shape)
        for touch in found[0].touches:
            if touch.tensors == {"weight": 1}:
                touch.channels[:] = np.roll(touch.channels, 1)
        return found

    monkeypatch.setattr(structure, "couplings", off_by_one)
    with pytest.raises(ConfigError, match=r"mnasnet0_5.*pruned"):
        layout_of(architecture("mnasnet0_5", (3, 32, 32)))


def touching(layer, positions, channels):
    tensors = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), 0)
    return Touch(layer, tensors, np.array(positions), np.array(channels))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (([0, 1], [0, 1]), ([1, 2], [0, 1]), "two mask bits"),
        (([0], [0]), ([1, 2], [0, 1]), "each channel"),
        (([0, 1, 3], [0, 1, 1]), ([4, 5], [0, 1]), "each channel"),
    ],
)
def test_couplings_that_contradict_each_other_are_refused(first, second, why):
    layer = "features.1"
    found = [Coupling(2, (touching(layer, *part),), (layer,)) for part in (first, second)]
    with pytest.raises(ValueError, match=why):
        layout_from(empty(architecture("vgg-s")), found)
