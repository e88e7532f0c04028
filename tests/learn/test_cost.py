import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prisam_p2p.core.layout import Weights
from prisam_p2p.learn.cost import layer_macs, macs, step_macs
from prisam_p2p.learn.models import Architecture, build, empty
from prisam_p2p.learn.structure import layout_of, slim_module, state_of


def architecture(name, n_classes=10, image=(3, 32, 32)):
    return Architecture(name, 1.0, n_classes, image)


def first_of_each_set(layout, rho):
    mask = np.zeros(layout.n_bits, np.bool_)
    for span in layout.spans:
        n = span.stop - span.start
        mask[span.start : span.start + max(1, n - math.floor(rho * n))] = True
    return mask


@pytest.mark.parametrize(
    ("name", "n_classes", "rho", "mega"),
    [
        ("vgg11", 10, 0.0, 152.8),
        ("vgg11", 100, 0.0, 152.8),
        ("vgg11", 10, 0.3, 75.7),
        ("vgg11", 10, 0.5, 38.6),
        ("vgg11", 10, 0.7, 14.3),
        ("resnet20", 10, 0.0, 33.7),
    ],
)
def test_the_counts_are_the_papers(name, n_classes, rho, mega):
    asked = architecture(name, n_classes)
    assert macs(asked, first_of_each_set(layout_of(asked), rho)) / 1e6 == pytest.approx(
        mega, abs=0.1
    )


@pytest.mark.parametrize(
    "asked",
    [
        architecture("vgg-s", image=(1, 8, 8)),
        architecture("resnet20", image=(3, 16, 16)),
        architecture("mobilenet_v2"),  # depthwise convolutions
    ],
    ids=lambda asked: asked.name,
)
def test_the_count_equals_that_of_torch(asked):
    net = build(asked, 0).eval()
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *asked.image_shape))
    assert 2 * macs(asked, layout_of(asked).full_mask()) == counter.get_total_flops()


def test_the_count_of_vgg_s_matches_a_calculation_by_hand():
    """With one channel a layer, VGG-S on 8x8 has 8x8, 4x4, 2x2 and 1x1 outputs of 3x3 kernels."""
    asked = architecture("vgg-s", n_classes=3, image=(1, 8, 8))
    one_each = first_of_each_set(layout_of(asked), 0.999)
    assert macs(asked, one_each) == 9 * (64 + 16 + 4 + 1) + 3


@pytest.mark.parametrize("trained", ["all", "head", "body"])
@pytest.mark.parametrize("name", ["vgg-s", "resnet20"])
def test_the_count_of_a_training_step_equals_that_of_torch(name, trained):
    asked = architecture(name, image=(3, 16, 16))
    net = build(asked, 0)
    names = [name for name, _ in net.named_parameters()]
    part = {"all": names, "head": names[-2:], "body": names[:-2]}[trained]
    for each, parameter in net.named_parameters():
        parameter.requires_grad_(each in part)
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(4, *asked.image_shape)).sum().backward()
    layers = layer_macs(asked, layout_of(asked).full_mask())
    assert 2 * 4 * step_macs(layers, part) == counter.get_total_flops()


def test_a_training_step_of_three_layers_by_hand():
    layers = {"a": 100, "norm": 0, "b": 20, "c": 3}
    assert step_macs(layers) == 123 + 123 + 23  # outputs, weights, inputs except the images
    assert step_macs(layers, ["c.weight", "c.bias"]) == 123 + 3
    assert step_macs(layers, ["norm.weight"]) == 123 + 23


def test_networks_made_after_a_count_count_nothing():
    asked = architecture("vgg-s", image=(1, 8, 8))
    mask = layout_of(asked).full_mask()
    layers = layer_macs(asked, mask)
    before = dict(layers)
    slim_module(asked, Weights(mask, state_of(build(asked, 0))))(asked.blank(2))
    assert layers == before == layer_macs(asked, mask)
    assert not any(module._forward_hooks for module in empty(asked).modules())
