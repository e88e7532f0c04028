"""Count the multiply-accumulates (MACs) of a slim network for one image, on the network itself.

torch.utils.flop_counter gives the same numbers (a test compares them), but it imports
torch._dynamo, which takes 2 s of CPU time in every process.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from prisam_p2p.core.layout import Mask
from prisam_p2p.learn.dry_run import single_thread
from prisam_p2p.learn.models import Architecture, empty
from prisam_p2p.learn.structure import dress, layout_of


def macs(architecture: Architecture, mask: Mask) -> int:
    """Count the MACs of convolutions and linear layers for one image.

    Biases, BN and activations are not counted, as in the paper's 153 MMAC of VGG-11.

    Args:
        mask: shape (layout.n_bits,), True = kept.

    Raises:
        ConfigError: `layout_of` refuses the architecture.
    """
    net = _zero_net(architecture, mask)
    counted: list[int] = []

    def count(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        counted.append(output.numel() * _macs_per_output(layer))

    for layer in net.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad(), single_thread():
        net.eval()(architecture.blank(1))
    return sum(counted)


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
    raise TypeError(f"cannot count the MACs of {type(layer).__name__}")
