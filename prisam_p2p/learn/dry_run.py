"""Running a network on zeros, only to see what it does: whether it accepts an image, its shapes.

On real zeros of the CPU, for a forward pass on the meta device loads torch._dynamo, 2 s of CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def zeros(skeleton: nn.Module) -> nn.Module:
    """Make a network on the meta device one that runs, in place: its weights are zeros.

    The parameters are one zero each, expanded: they take no memory and cannot be trained.
    """
    for module in skeleton.modules():
        for name, parameter in module.named_parameters(recurse=False):
            zero = torch.zeros((), dtype=parameter.dtype, device="cpu").expand(parameter.shape)
            module.register_parameter(name, nn.Parameter(zero))
        for name, buffer in module.named_buffers(recurse=False):
            zero = torch.zeros(buffer.shape, dtype=buffer.dtype, device="cpu")
            module.register_buffer(name, zero)
    return skeleton


@contextmanager
def single_thread() -> Iterator[None]:
    """Compute without torch's thread pool: a pool started here would not survive a later fork."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def classifies(net: nn.Module, image_shape: tuple[int, int, int], n_classes: int) -> bool:
    """Tell whether `net` can train on such images (C, H, W) and returns one logit a class."""
    images = torch.zeros(2, *image_shape, device="cpu")
    try:
        with torch.no_grad(), single_thread():
            logits = net.train()(images)
    except (RuntimeError, ValueError, AssertionError):  # a layer cannot see such images
        return False
    return isinstance(logits, torch.Tensor) and logits.shape == (2, n_classes)
