"""Between a network and its layout: which bit governs which weight, and slim networks.

`layout_of` traces a network once; everything a peer does in a round (`slim_module`,
`weights_of`) needs the layout's answer only, never the trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from prisam_p2p.core.layout import (
    UNGOVERNED,
    Array,
    BnView,
    ChannelSet,
    Layout,
    Mask,
    TensorLayout,
    Weights,
    widen,
)
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.coupling import Coupling, Touch, couplings, is_depthwise
from prisam_p2p.learn.dry_run import single_thread, zeros
from prisam_p2p.learn.models import BUILT_IN, Architecture, empty


@lru_cache(maxsize=8)
def layout_of(architecture: Architecture) -> Layout:
    """Return the layout of a network: its channel sets, and what each bit governs.

    Sets stand in the order in which their first BN layers are registered, a set's channels in
    the order of the convolution that makes them. A torchvision network, whose structure we have
    not seen, is proven besides: a slim copy must compute what the masked one does.

    Raises:
        ConfigError: `models.build` refuses the architecture, or its channels cannot be cut.
    """
    skeleton = empty(architecture)
    with single_thread():
        try:
            found = couplings(zeros(empty(architecture)), architecture.image_shape)
            layout = layout_from(skeleton, found)
        except ValueError as error:
            raise _cannot_be_cut(architecture) from error
        if architecture.name not in BUILT_IN and not _slim_equals_masked(architecture, layout):
            raise _cannot_be_cut(architecture)
    return layout


def state_of(module: nn.Module) -> dict[str, Array]:
    """Return copies of a network's tensors in wire order: floats first, integer counters last."""
    arrays: dict[str, Array] = {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()
    }
    return dict(sorted(arrays.items(), key=lambda item: item[1].dtype.kind != "f"))


def weights_of(module: nn.Module, mask: Mask) -> Weights:
    """Return copies of the weights of a slim network, whose kept channels `mask` names."""
    return Weights(mask, state_of(module))


def slim_module(architecture: Architecture, weights: Weights) -> nn.Module:
    """Return a dense network of the slim shapes, in training mode, holding copies of `weights`.

    Raises:
        ConfigError: `models.build` refuses the architecture.
        ValueError: `weights` lacks one of the network's tensors, or has another beside them.
    """
    copies = {
        name: torch.from_numpy(np.array(array, order="C"))
        for name, array in weights.tensors.items()
    }
    return dress(empty(architecture), copies)


def dress(skeleton: nn.Module, tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Put `tensors` (not copies) into a skeleton, in place, and set its layers' sizes to match.

    Raises:
        ValueError: `tensors` lacks one of the network's tensors, or has another beside them.
    """
    names = skeleton.state_dict().keys()
    if tensors.keys() != names:
        raise ValueError(f"tensors missing or unknown: {sorted(tensors.keys() ^ names)}")
    for prefix, module in skeleton.named_modules():
        depthwise = is_depthwise(module)  # by the dense sizes, before they change
        dot = f"{prefix}." if prefix else ""
        for name, _ in list(module.named_parameters(recurse=False)):
            module.register_parameter(name, nn.Parameter(tensors[dot + name]))
        for name, _ in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, tensors[dot + name])
        _fit(module, depthwise)
    return skeleton


def _fit(module: nn.Module, depthwise: bool) -> None:
    """Set the sizes that a layer states to those of its weight."""
    if isinstance(module, nn.Conv2d):
        module.out_channels, per_group = module.weight.shape[:2]
        module.groups = module.out_channels if depthwise else module.groups
        module.in_channels = per_group * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.num_features = module.weight.shape[0]


def _slim_equals_masked(architecture: Architecture, layout: Layout) -> bool:
    """Compare outputs with random weights and a random half of the channels."""
    rng = np.random.default_rng(0)
    mask = rng.random(layout.n_bits) < 0.5
    mask[[span.start for span in layout.spans]] = True
    weights = Weights(mask, _random_tensors(layout, mask, rng))
    images = torch.from_numpy(rng.standard_normal((2, *architecture.image_shape), np.float32))
    try:
        slim = _logits(architecture, weights, images)
        masked = _logits(architecture, widen(layout, weights), images)
    except RuntimeError:  # shapes that do not fit
        return False
    return torch.allclose(slim, masked, rtol=1e-3, atol=1e-4 * float(masked.abs().max()))


def _logits(architecture: Architecture, weights: Weights, images: torch.Tensor) -> torch.Tensor:
    tensors = {name: torch.from_numpy(array) for name, array in weights.tensors.items()}
    with torch.no_grad():
        logits: torch.Tensor = dress(empty(architecture), tensors).eval()(images)
    return logits


def _random_tensors(layout: Layout, mask: Mask, rng: np.random.Generator) -> dict[str, Array]:
    """Draw slim tensors, scaled so that activations neither vanish nor explode."""
    tensors: dict[str, Array] = {}
    for tensor in layout.tensors:
        shape = tensor.slim_shape(mask)
        scale = math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 1.0
        values = rng.standard_normal(shape, np.float32) * np.float32(scale)
        if tensor.name.endswith(".running_var"):
            values = np.abs(values) + np.float32(0.1)
        tensors[tensor.name] = np.asarray(values, tensor.dtype)
    return tensors


def _cannot_be_cut(architecture: Architecture) -> ConfigError:
    right = "a model whose channels can be cut one by one, such as a VGG, ResNet or MobileNetV2"
    return ConfigError("--model", "", architecture.name, right)


# -- from coupled sets to a layout -----------------------------------------------------

Bits = dict[str, dict[int, npt.NDArray[np.intp]]]
"""Tensor name -> axis -> governing bit of each position."""


def layout_from(net: nn.Module, found: Sequence[Coupling]) -> Layout:
    """Return the layout of `net` whose channel sets are `found`, in that order.

    Raises:
        ValueError: two bits would govern one position, or a BN layer sees a part of a set only.
    """
    state = net.state_dict()
    parameters = dict(net.named_parameters())
    bits = _govern(found, state)
    tensors = [
        TensorLayout(
            name=name,
            shape=tuple(tensor.shape),
            dtype=np.dtype("<f4" if tensor.is_floating_point() else "<i8"),
            trainable=name in parameters,
            bits=bits.get(name, {}),
        )
        for name, tensor in state.items()
    ]
    tensors.sort(key=lambda tensor: tensor.dtype.kind != "f")  # integer counters last
    return Layout(tuple(_channel_set(coupling) for coupling in found), tuple(tensors))


def _govern(found: Sequence[Coupling], state: Mapping[str, torch.Tensor]) -> Bits:
    bits: Bits = {}
    first_bit = 0
    for coupling in found:
        for touch in coupling.touches:
            for tensor, axis in touch.tensors.items():
                name = f"{touch.layer}.{tensor}"
                free = np.full(state[name].shape[axis], UNGOVERNED, np.intp)
                governing = bits.setdefault(name, {}).setdefault(axis, free)
                if (governing[touch.positions] != UNGOVERNED).any():
                    raise ValueError(f"{name}: a position on axis {axis} with two mask bits")
                governing[touch.positions] = first_bit + touch.channels
        first_bit += coupling.size
    return bits


def _channel_set(coupling: Coupling) -> ChannelSet:
    by_layer = {touch.layer: touch for touch in coupling.touches}
    views = tuple(_view(by_layer[layer], coupling.size) for layer in coupling.bn_layers)
    return ChannelSet(coupling.bn_layers[0], coupling.size, views)


def _view(touch: Touch, size: int) -> BnView:
    order = np.argsort(touch.channels, kind="stable")
    if not np.array_equal(touch.channels[order], np.arange(size)):
        raise ValueError(f"{touch.layer} does not see each channel of its set once")
    return BnView(touch.layer, touch.positions[order])
