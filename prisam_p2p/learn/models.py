"""Build a network: a built-in one, a torchvision classifier with BN layers, or users' code.

Every peer builds the same W0 from the run's seed, with gamma = 0.5 everywhere. With a different
W0 per peer, or random gammas, masks carry no information about groups.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import nn

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.data_spec import DataSpec, blank
from prisam_p2p.learn.dataset_pools import InputType
from prisam_p2p.learn.dry_run import classifies, zeros
from prisam_p2p.learn.resnet import ResNet18, ResNet20
from prisam_p2p.learn.torchvision_shim import import_torchvision
from prisam_p2p.learn.user_model import check_reproducible, check_user_model, make_user_model
from prisam_p2p.learn.vgg import VGG_11, VGG_S, Vgg

INITIAL_GAMMA = 0.5
TORCHVISION_PREFIX = "torchvision:"

BUILT_IN: dict[str, Callable[[float, int, int], nn.Module]] = {
    "vgg-s": partial(Vgg, VGG_S),
    "vgg11": partial(Vgg, VGG_11),
    "resnet20": ResNet20,
    "resnet18": ResNet18,
}
"""Name -> constructor of (width, n_classes, in_channels)."""

_IMAGE_SIDES = (8, 16, 24, 28, 32, 48, 64, 96, 128, 224)


@dataclass(frozen=True)
class Architecture:
    """A network without its weights.

    Attributes:
        name: a key of `BUILT_IN`, or a torchvision classifier's name. The prefix "torchvision:"
            is optional, except for names that `BUILT_IN` has too.
        width: factor on the number of channels of built-in models; 1 for torchvision's.
        n_classes: number of outputs.
        image_shape: of one input; (C, H, W) of an image.
        dtype: of inputs, "float32" or "int64".
        factory: of users' code; `name` is then how they named it.
    """

    name: str
    width: float
    n_classes: int
    image_shape: tuple[int, ...]
    dtype: InputType = "float32"
    factory: Callable[[DataSpec, float], nn.Module] | None = None

    @property
    def is_built_in(self) -> bool:
        """Whether it is one of ours, whose channels are known to be prunable."""
        return self.factory is None and self.name in BUILT_IN

    @property
    def data(self) -> DataSpec:
        """What a user's model is told."""
        return DataSpec(self.image_shape, self.dtype, self.n_classes)

    def blank(self, n: int) -> torch.Tensor:
        """Return a batch of `n` inputs of zeros."""
        return blank(n, self.image_shape, self.dtype)


class GrayAsRgb(nn.Module):
    """Repeats the channel of gray images three times for a network of RGB images."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, n_classes), of images, shape (batch, 1, H, W)."""
        logits: torch.Tensor = self.net(x.expand(-1, 3, -1, -1))
        return logits


def build(architecture: Architecture, seed: int) -> nn.Module:
    """Return the network with its initial weights W0: gamma 0.5 and beta 0 in every BN layer.

    The weights depend on `seed` alone, and torch's global generator keeps its state.

    Raises:
        ConfigError: there is no such model, it has no BN layers, or it does not accept such
            inputs; or users' code gives other weights each time.
    """
    empty(architecture)  # raises the ConfigError
    net = _seeded(architecture, seed)
    if architecture.factory:
        check_reproducible(architecture, net, _seeded(architecture, seed))
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.constant_(layer.weight, INITIAL_GAMMA)
            nn.init.zeros_(layer.bias)
    return net


def _seeded(architecture: Architecture, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return _construct(architecture)


def empty(architecture: Architecture) -> nn.Module:
    """Return the network's modules on the meta device: shapes, no memory, no initialization.

    The caller may change the modules. Do not run them: a forward pass on the meta device imports
    torch._dynamo, which takes 2 s of CPU time.

    Raises:
        ConfigError: as `build`.
    """
    return _copy(_checked_skeleton(architecture), {})


def _copy(module: nn.Module, copies: dict[nn.Module, nn.Module]) -> nn.Module:
    """Copy a tree of modules that shares its tensors; `deepcopy` takes five times as long."""
    if module not in copies:
        copies[module] = new = copy(module)
        new._parameters, new._buffers = dict(module._parameters), dict(module._buffers)
        new._modules = {name: m and _copy(m, copies) for name, m in module._modules.items()}
    return copies[module]


@lru_cache(maxsize=8)
def _checked_skeleton(architecture: Architecture) -> nn.Module:
    skeleton = _skeleton(architecture)
    if architecture.factory:
        check_user_model(architecture, skeleton, zeros(deepcopy(skeleton)))
        return skeleton
    if not any(isinstance(layer, nn.BatchNorm2d) for layer in skeleton.modules()):
        raise ConfigError("--model", "", architecture.name, "a model with BatchNorm2d layers")
    if len(architecture.image_shape) != 3 or architecture.dtype != "float32":
        right = f"your own model: inputs of {architecture.image_shape} are no images"
        raise ConfigError("--model", "", architecture.name, right)
    _check_images(architecture, zeros(deepcopy(skeleton)))
    return skeleton


def _skeleton(architecture: Architecture) -> nn.Module:
    if architecture.factory is None:
        with suppress(NotImplementedError), torch.device("meta"):
            return _construct(architecture)
    # RegNet computes its widths with tensors, which need a device; users' code may do so, too.
    with torch.random.fork_rng(devices=[]):
        return _construct(architecture).to("meta")


def _construct(architecture: Architecture) -> nn.Module:
    if architecture.factory:
        return make_user_model(architecture)
    if architecture.name in BUILT_IN:
        make = BUILT_IN[architecture.name]
        return make(architecture.width, architecture.n_classes, architecture.image_shape[0])
    return _construct_torchvision(architecture)


def _construct_torchvision(architecture: Architecture) -> nn.Module:
    models = import_torchvision().models
    name = architecture.name.removeprefix(TORCHVISION_PREFIX)
    known: list[str] = models.list_models(module=models)
    if name not in known:
        _refuse_name(architecture.name, [*BUILT_IN, *known])
    if architecture.width != 1:
        right = f"1 for torchvision's {name}; only built-in models ({', '.join(BUILT_IN)}) scale"
        raise ConfigError("--width", "", architecture.width, right)
    if architecture.image_shape[0] not in (1, 3):
        right = f"a built-in model for images of {architecture.image_shape[0]} channels"
        raise ConfigError("--model", "", architecture.name, right)
    net: nn.Module = models.get_model(name, weights=None, num_classes=architecture.n_classes)
    return net if architecture.image_shape[0] == 3 else GrayAsRgb(net)


def _refuse_name(name: str, known: list[str]) -> None:
    near = difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.5)
    right = f"one of {', '.join(near)}" if near else f"one of {', '.join(BUILT_IN)}"
    raise ConfigError("--model", "", name, f"{right} (or another torchvision classifier)")


def _check_images(architecture: Architecture, net: nn.Module) -> None:
    channels, height, width = architecture.image_shape
    if classifies(net, architecture.blank(2), architecture.n_classes):
        return
    for side in _IMAGE_SIDES:
        larger = torch.zeros(2, channels, side, side, device="cpu")
        if side > min(height, width) and classifies(net, larger, architecture.n_classes):
            right = f"images of {side}x{side} for this model (--image-size {side})"
            raise ConfigError("--model", "", architecture.name, f"{right}, not {height}x{width}")
    right = "a classifier of one input and one output (no auxiliary heads) for any image size"
    raise ConfigError("--model", "", architecture.name, right)
