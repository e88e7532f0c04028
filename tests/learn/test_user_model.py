"""Models of users' code: what they are told, and what is said of those that cannot be used."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from prisam_p2p.core.layout import narrow, widen
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.loading import load
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.personalized import load_personalized, save_personalized
from prisam_p2p.learn.structure import layout_of, slim_module

IMAGE, ROW, TEXT = ((1, 8, 8), "float32"), ((13,), "float32"), ((12,), "int64")


def asked(factory, data=ROW, width=1.0):
    shape, dtype = data
    return Architecture("./mine.py:net", width, 3, shape, dtype, factory)


def example(name):
    return load(CodeKind.MODEL, f"examples/{name}", "--model").value


def mlp(data, width):
    return nn.Sequential(
        nn.Linear(data.shape[0], 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, data.n_classes)
    )


def test_a_model_is_told_shape_type_classes_and_an_example():
    told = []

    def net(data, width):
        told.append((data.shape, data.dtype, data.n_classes, data.example, width))
        return mlp(data, width)

    layout_of(asked(net, width=0.5))
    shape, dtype, n_classes, batch, width = told[0]
    assert (shape, dtype, n_classes, width) == ((13,), "float32", 3, 0.5)
    assert (batch.shape, batch.dtype) == ((2, 13), torch.float32)


EXAMPLES = [
    ("se_net.py:se_net", IMAGE, 48),
    ("table.py:mlp", ROW, 64),
    ("text.py:text_net", TEXT, 64),
]


@pytest.mark.parametrize(("name", "data", "n_bits"), EXAMPLES)
def test_a_slim_network_computes_what_the_masked_one_does(name, data, n_bits, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    architecture = asked(example(name), data)
    layout = layout_of(architecture)
    assert layout.n_bits == n_bits
    mask = np.arange(n_bits) % 3 > 0
    whole = initial_weights(architecture, 0)
    masked = widen(layout, narrow(layout, whole, mask))
    slim = narrow(layout, whole, mask)
    inputs = torch.ones(4, *data[0], dtype=architecture.blank(1).dtype)
    with torch.no_grad():
        one, other = (slim_module(architecture, each).eval()(inputs) for each in (slim, masked))
    assert torch.allclose(one, other, atol=1e-5)
    assert macs(architecture, mask) < macs(architecture, layout.full_mask())


def test_macs_of_a_convolution_of_one_dimension_are_counted():
    def net(data, width):
        return nn.Sequential(
            nn.Unflatten(1, (1, 13)),
            nn.Conv1d(1, 4, 3, bias=False),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(44, 3),
        )

    architecture = asked(net)
    assert macs(architecture, layout_of(architecture).full_mask()) == 4 * 3 * 11 + 44 * 3


WRONG = {
    "no BatchNorm": (lambda d, w: nn.Linear(13, 3), r"BatchNorm1d or BatchNorm2d.*scale factors"),
    "no scale factors": (
        lambda d, w: nn.Sequential(nn.BatchNorm1d(13, affine=False), nn.Linear(13, 3)),
        r"affine=True.*; 0 is not so",
    ),
    "no network": (lambda d, w: 3, r"returns a torch\.nn\.Module, not int"),
    "fails": (lambda d, w: d.nothing, r"test_user_model\.py, line \d+: AttributeError"),
    "other input": (
        lambda d, w: nn.Sequential(nn.Linear(9, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
        r"RuntimeError: mat1 and mat2",
    ),
    "other logits": (
        lambda d, w: nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)),
        r"logits of shape \(2, 3\) for a batch of two, not \(2, 4\)",
    ),
    "double": (lambda d, w: mlp(d, w).double(), r"float32.*; 0\.weight is torch\.float64"),
    "softmax": (
        lambda d, w: nn.Sequential(
            nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Softmax(1), nn.Linear(8, 3)
        ),
        r"removed one by one.*no LayerNorm or softmax",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_model_that_cannot_be_used_says_why(wrong):
    factory, why = WRONG[wrong]
    with pytest.raises(ConfigError) as caught:
        layout_of(asked(factory))
    assert re.search(why, str(caught.value)), caught.value
    assert str(caught.value).startswith("--model = './mine.py:net': expected ")


def test_weights_that_torch_s_seed_does_not_decide_are_refused():
    rng = np.random.default_rng(0)

    def net(data, width):
        made = mlp(data, width)
        with torch.no_grad():
            made[0].weight += torch.tensor(rng.standard_normal((8, 13)), dtype=torch.float32)
        return made

    with pytest.raises(ConfigError, match=r"torch's seed alone; 0\.weight does not"):
        build(asked(net), 0)


def test_weights_follow_from_the_seed():
    one, same, other = (build(asked(mlp), seed)[0].weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_saved_model_needs_its_function_and_never_imports_it(tmp_path):
    architecture = asked(mlp)
    layout = layout_of(architecture)
    path = tmp_path / "p.safetensors"
    save_personalized(path, architecture, layout, initial_weights(architecture, 0), {})
    with pytest.raises(ConfigError, match=r"code = '\./mine\.py:net'.*as the argument factory"):
        load_personalized(path)
    net = load_personalized(path, factory=mlp)
    saved = initial_weights(architecture, 0).tensors["0.weight"]
    assert np.array_equal(net[0].weight.detach().numpy(), saved)


def test_a_built_in_model_takes_images_only():
    with pytest.raises(ConfigError, match=r"--model = 'resnet18'.*\(13,\) are no images"):
        layout_of(Architecture("resnet18", 1.0, 3, (13,)))
