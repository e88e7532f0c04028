"""Count the multiply-accumulates (MACs) of a slim network for one image, on the network itself.

torch.utils.flop_counter gives the same numbers (a test compares them), but it imports
torch._dynamo, which takes 2 s of CPU time in every process.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import partial

import torch
from torch import nn

from prisam_p2p.core.layout import Mask
from prisam_p2p.learn.dry_run import single_thread
from prisam_p2p.learn.models import Architecture, empty
from prisam_p2p.learn.structure import dress, layout_of


def macs(architecture: Architecture, mask: Mask) -> int:
    """Count the MACs of a forward pass of one image; arguments as of `layer_macs`."""
    return sum(layer_macs(architecture, mask).values())


def layer_macs(architecture: Architecture, mask: Mask) -> dict[str, int]:
    """Count the MACs of each layer for one image; layers are in the order that it passes them.

    Only convolutions and linear layers have any: biases, BN and activations are not counted, as in
    the paper's 153 MMAC of VGG-11.

    Args:
        mask: shape (layout.n_bits,), True = kept.

    Raises:
        ConfigError: `layout_of` refuses the architecture.
    """
    net = _zero_net(architecture, mask)
    counted: dict[str, int] = {}

    def count(name: str, layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        counted[name] = counted.get(name, 0) + output.numel() * _macs_per_output(layer)

    hooks = [
        layer.register_forward_hook(partial(count, name))
        for name, layer in net.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    with torch.no_grad(), single_thread():
        net.eval()(architecture.blank(1))
    for hook in hooks:  # copies of a skeleton share its table of hooks
        hook.remove()
    return counted


def step_macs(layers: Mapping[str, int], part: Collection[str] | None = None) -> int:
    """Count the MACs of one image in a training step: its forward and its backward pass.

    A backward pass takes a layer's MACs for the gradients of its weights, if these are trained,
    and as many for those of its inputs, if anything before the layer is trained.

    Args:
        layers: as `layer_macs` returns them.
        part: names of the parameters that are trained, the others being frozen; None = all.
    """
    trained = None if part is None else {name.rpartition(".")[0] for name in part}
    total, any_before = 0, False
    for name, of_layer in layers.items():
        is_trained = trained is None or name in trained
        total += of_layer * (1 + is_trained + any_before)
        any_before = any_before or is_trained
    return total


def _zero_net(architecture: Architecture, mask: Mask) -> nn.Module:
    zero = torch.zeros((), device="cpu")  # expanded, so that tensors take no memory
    counter = torch.zeros((), dtype=torch.int64, device="cpu")
    tensors = {
        tensor.name: (zero if tensor.dtype.kind == "f" else counter).expand(tensor.slim_shape(mask))
        for tensor in layout_of(architecture).tensors
    }
    return dress(empty(architecture), tensors)


def _macs_per_output(layer: nn.Module) -> int:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    if isinstance(layer, nn.Linear):
        return layer.in_features
    return 0
