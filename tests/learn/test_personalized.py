import json
import os

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from prisam_p2p.core.layout import narrow
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.personalized import load_personalized, save_personalized
from prisam_p2p.learn.structure import layout_of, slim_module, weights_of

ASKED = Architecture("vgg-s", 0.5, 5, (1, 8, 8))
IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def slim_weights():
    layout = layout_of(ASKED)
    mask = np.arange(layout.n_bits) % 3 == 0
    net = build(ASKED, 0)
    net(IMAGES)  # changes the running statistics
    return narrow(layout, weights_of(net, layout.full_mask()), mask)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "peer.safetensors"
    save_personalized(path, ASKED, layout_of(ASKED), slim_weights(), {"rho": "0.67"})
    return path


def metadata_of(path):
    with safe_open(path, "numpy") as file:
        return file.metadata()


def test_a_loaded_network_computes_the_same_as_the_saved_one(saved):
    net = load_personalized(saved)
    assert not net.training
    expected = slim_module(ASKED, slim_weights()).eval()
    with torch.no_grad():
        assert torch.equal(net(IMAGES), expected(IMAGES))


def test_the_metadata_describes_the_network(saved):
    metadata = metadata_of(saved)
    assert json.loads(metadata["architecture"]) == {
        "name": "vgg-s",
        "width": 0.5,
        "n_classes": 5,
        "image_shape": [1, 8, 8],
        "dtype": "float32",
    }
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(metadata["mask"]), np.uint8))
    assert np.array_equal(bits, np.arange(88) % 3 == 0)
    assert json.loads(metadata["sets"]) == [
        ["features.1", 8],
        ["features.5", 16],
        ["features.9", 32],
        ["features.13", 32],
    ]
    assert metadata["rho"] == "0.67"


def test_a_file_is_replaced_atomically_and_no_temporary_file_stays(saved, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_personalized(saved, ASKED, layout_of(ASKED), slim_weights(), {"rho": "other"})
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_own_metadata_cannot_be_overwritten(tmp_path):
    with pytest.raises(ValueError, match="mask"):
        save_personalized(tmp_path / "x", ASKED, layout_of(ASKED), slim_weights(), {"mask": "00"})
    assert not list(tmp_path.iterdir())


def rewritten(path, tensors=None, **metadata):
    save_file(tensors or load_file(path), path, metadata=metadata_of(path) | metadata)
    return path


def with_tensor(path, name, array):
    tensors = load_file(path) | ({} if array is None else {name: array})
    if array is None:
        del tensors[name]
    return rewritten(path, tensors)


def asked_as(**changes):
    return json.dumps(
        {"name": "vgg-s", "width": 0.5, "n_classes": 5, "image_shape": [1, 8, 8]} | changes
    )


BREAKAGES = {
    "no file": (lambda p: p.with_name("none"), "safetensors"),
    "a directory": (lambda p: p.parent, "safetensors"),
    "not safetensors": (lambda p: p.write_bytes(b"hello") and p, "safetensors"),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:-5]) and p, "safetensors"),
    "no metadata": (lambda p: save_file({"a": np.zeros(1)}, p) or p, "architecture"),
    "no JSON": (lambda p: rewritten(p, architecture="{"), "architecture"),
    "no such model": (lambda p: rewritten(p, architecture=asked_as(name="vgg-x")), "vgg-s"),
    "classes": (lambda p: rewritten(p, architecture=asked_as(n_classes=6)), "n_classes = 6"),
    "images": (lambda p: rewritten(p, architecture=asked_as(image_shape=[3, 8, 8])), "slim vgg-s"),
    "missing": (lambda p: with_tensor(p, "classifier.bias", None), r"classifier\.bias"),
    "unknown": (lambda p: with_tensor(p, "more", np.zeros(1, np.float32)), "more"),
    "misfit": (
        lambda p: with_tensor(p, "features.1.weight", np.zeros(1, np.float32)),
        "slim vgg-s",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_wrong_file_is_refused(saved, breakage):
    break_it, why = BREAKAGES[breakage]
    path = break_it(saved)
    with pytest.raises(ConfigError, match=why):
        load_personalized(path)
