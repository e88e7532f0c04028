import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.models import Architecture, build, empty
from prisam_p2p.learn.structure import state_of

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def architecture(name, n_classes=10, image=(3, 32, 32), width=1.0):
    return Architecture(name, width, n_classes, image)


def bn_layers(net):
    return [layer for layer in net.modules() if isinstance(layer, BATCH_NORMS)]


@pytest.mark.parametrize(
    ("name", "n_classes", "n_parameters", "n_bn_channels"),
    [
        ("vgg11", 100, 9_274_532, 2_752),  # 35.38 MiB, while a mask has 344 bytes
        ("vgg11", 10, 9_228_362, 2_752),
        ("resnet20", 10, 219_482, 1_360),
        ("resnet18", 10, 11_173_962, 4_800),
    ],
)
def test_the_sizes_are_the_papers(name, n_classes, n_parameters, n_bn_channels):
    net = empty(architecture(name, n_classes))
    assert sum(parameter.numel() for parameter in net.parameters()) == n_parameters
    assert sum(layer.num_features for layer in bn_layers(net)) == n_bn_channels


@pytest.mark.parametrize("side", [8, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_vgg_s_accepts_images_of_8x8_and_more(side, channels):
    net = build(architecture("vgg-s", image=(channels, side, side)), seed=0)
    assert net(torch.zeros(2, channels, side, side)).shape == (2, 10)
    assert [conv.out_channels for conv in net.modules() if isinstance(conv, nn.Conv2d)] == [
        *(16, 32, 64, 64)
    ]


def test_width_multiplies_channels_and_keeps_at_least_one():
    wide = empty(architecture("vgg-s", width=1.5))
    assert [layer.num_features for layer in bn_layers(wide)] == [24, 48, 96, 96]
    thin = empty(architecture("vgg-s", width=0.02))
    assert [layer.num_features for layer in bn_layers(thin)] == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["vgg-s", "resnet20", "torchvision:resnet18"])
def test_the_seed_decides_the_initial_weights(name):
    a, again, b = (state_of(build(architecture(name), seed)) for seed in (7, 7, 8))
    assert all(np.array_equal(a[tensor], again[tensor]) for tensor in a)
    convolutions = [tensor for tensor in a if a[tensor].ndim == 4]
    assert convolutions
    assert not any(np.array_equal(a[tensor], b[tensor]) for tensor in convolutions)


def test_building_does_not_change_the_global_generator():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build(architecture("vgg-s", image=(1, 12, 12)), seed=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["vgg-s", "vgg11", "resnet20", "torchvision:resnet18"])
def test_every_gamma_is_a_half_and_every_beta_zero(name):
    layers = bn_layers(build(architecture(name), seed=0))
    assert len(layers) >= 4
    assert all((layer.weight == 0.5).all() and (layer.bias == 0).all() for layer in layers)


def test_an_empty_network_takes_no_memory_and_may_be_changed():
    first, second = empty(architecture("vgg-s")), empty(architecture("vgg-s"))
    assert all(parameter.is_meta for parameter in first.parameters())
    next(iter(first.children())).add_module("more", nn.ReLU())
    assert len(list(second.modules())) < len(list(first.modules()))


def test_a_torchvision_model_reads_gray_images_as_rgb():
    gray = build(architecture("torchvision:resnet18", image=(1, 32, 32)), seed=1).eval()
    rgb = build(architecture("torchvision:resnet18", image=(3, 32, 32)), seed=1).eval()
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(gray(images), rgb(images.repeat(1, 3, 1, 1)))


def test_the_prefix_selects_torchvisions_resnet18():
    ours, theirs = empty(architecture("resnet18")), empty(architecture("torchvision:resnet18"))
    kernels = [
        next(m for m in net.modules() if isinstance(m, nn.Conv2d)).kernel_size
        for net in (ours, theirs)
    ]
    assert kernels == [(3, 3), (7, 7)]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (architecture("resnet81"), "--model = 'resnet81': expected one of resnet"),
        (architecture("vgg-m"), "vgg-s"),
        (architecture("fasterrcnn_resnet50_fpn"), "one of"),
        (architecture("vgg11", image=(1, 8, 8)), "--image-size 32.*not 8x8"),
        (architecture("vgg-s", image=(1, 4, 4)), "--image-size 8"),
        (architecture("vgg11_bn", image=(3, 8, 8)), "--image-size 32"),
        (architecture("alexnet", image=(3, 64, 64)), "BatchNorm2d"),
        (architecture("mobilenet_v2", width=0.5), "--width = 0.5.*mobilenet_v2"),
        (architecture("mobilenet_v2", image=(2, 32, 32)), "2 channels"),
        (architecture("googlenet"), "auxiliary"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.filterwarnings("ignore:The default weight initialization")
def test_a_wrong_architecture_is_refused_with_what_would_be_right(asked, why):
    with pytest.raises(ConfigError, match=why):
        build(asked, seed=0)


def test_built_in_models_load_neither_torchvision_nor_dynamo():
    """Importing either takes 2 s of CPU time."""
    program = """
import sys
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.structure import layout_of

asked = Architecture("vgg-s", 1.0, 10, (1, 8, 8))
build(asked, 0)
macs(asked, layout_of(asked).full_mask())
print(sorted({"torchvision", "torch._dynamo", "torch"} & sys.modules.keys()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.strip() == "['torch']"
