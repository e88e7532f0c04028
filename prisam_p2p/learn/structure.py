"""Convert between torch networks and slim NumPy weights, by the network's layout.

`layout_of` traces a network once. What a peer does in each round (`slim_module`, `weights_of`)
needs the layout or the mask only.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from prisam_p2p.core.layout import Array, Layout, Mask, Weights, widen
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.coupling import couplings, is_depthwise, layout_from
from prisam_p2p.learn.dry_run import single_thread, zeros
from prisam_p2p.learn.models import Architecture, empty


@lru_cache(maxsize=8)
def layout_of(architecture: Architecture) -> Layout:
    """Return the layout of a network: its channel sets, and what each mask bit governs.

    Sets are in the order in which their first BN layers are registered; the channels of a set are
    in the order of the convolution that produces them. A network that is not ours, whose structure
    is not known in advance, is also tested: a slim copy must compute the same as the masked one.

    Raises:
        ConfigError: `models.build` refuses the architecture, or its channels cannot be pruned.
    """
    skeleton = empty(architecture)
    with single_thread():
        try:
            found = couplings(zeros(empty(architecture)), architecture.blank(1))
            layout = layout_from(skeleton, found)
        except ValueError as error:
            raise _cannot_be_pruned(architecture) from error
        if not architecture.is_built_in and not _slim_equals_masked(architecture, layout):
            raise _cannot_be_pruned(architecture)
    return layout


def state_of(module: nn.Module) -> dict[str, Array]:
    """Return copies of a network's tensors in the layout's order: floats first, then counters."""
    arrays: dict[str, Array] = {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()
    }
    return dict(sorted(arrays.items(), key=lambda item: item[1].dtype.kind != "f"))


def weights_of(module: nn.Module, mask: Mask) -> Weights:
    """Return copies of the weights of a slim network.

    Args:
        mask: shape (layout.n_bits,): the channels that `module` has.
    """
    return Weights(mask, state_of(module))


def slim_module(architecture: Architecture, weights: Weights) -> nn.Module:
    """Return a network of the slim shapes, in training mode, that holds copies of `weights`.

    Raises:
        ConfigError: `models.build` refuses the architecture.
        ValueError: `weights` does not have exactly the network's tensors.
    """
    copies = {
        name: torch.from_numpy(np.array(array, order="C"))
        for name, array in weights.tensors.items()
    }
    return dress(empty(architecture), copies)


def dress(skeleton: nn.Module, tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Put `tensors` (not copies) into a skeleton, in place, and set its layers' sizes to match.

    Args:
        skeleton: a network of dense shapes, as of `models.empty`.
        tensors: name -> tensor of the slim shape.

    Raises:
        ValueError: `tensors` does not have exactly the network's tensors.
    """
    names = skeleton.state_dict().keys()
    if tensors.keys() != names:
        raise ValueError(f"missing or unknown tensors: {sorted(tensors.keys() ^ names)}")
    for prefix, module in skeleton.named_modules():
        depthwise = is_depthwise(module)  # asked before the sizes change
        dot = f"{prefix}." if prefix else ""
        for name, _ in list(module.named_parameters(recurse=False)):
            module.register_parameter(name, nn.Parameter(tensors[dot + name]))
        for name, _ in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, tensors[dot + name])
        _fit(module, depthwise)
    return skeleton


def _fit(module: nn.Module, depthwise: bool) -> None:
    """Set a layer's size attributes to those of its weight."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        module.out_channels, per_group = module.weight.shape[:2]
        module.groups = module.out_channels if depthwise else module.groups
        module.in_channels = per_group * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.num_features = module.weight.shape[0]


def _slim_equals_masked(architecture: Architecture, layout: Layout) -> bool:
    """Compare the outputs of both, with random weights and a random half of the channels."""
    rng = np.random.default_rng(0)
    mask = rng.random(layout.n_bits) < 0.5
    mask[[span.start for span in layout.spans]] = True
    weights = Weights(mask, _random_tensors(layout, mask, rng))
    shape = (2, *architecture.image_shape)
    images = (  # an index is 0: any model knows that
        torch.from_numpy(rng.standard_normal(shape, np.float32))
        if architecture.dtype == "float32"
        else architecture.blank(2)
    )
    try:
        slim = _logits(architecture, weights, images)
        masked = _logits(architecture, widen(layout, weights), images)
    except RuntimeError:  # shapes of layers do not fit
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


def _cannot_be_pruned(architecture: Architecture) -> ConfigError:
    right = "a model whose channels can be pruned one by one: a VGG, ResNet or MobileNetV2, say"
    if architecture.factory:
        right = (
            "a model whose channels behind BatchNorm can be removed one by one: only convolutions "
            "(not grouped) and linear layers mix them, and no LayerNorm or softmax does"
        )
    return ConfigError("--model", "", architecture.name, right)
