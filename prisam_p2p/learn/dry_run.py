"""Run a network on zeros, to learn its shapes and whether it accepts an image.

This uses zeros on the CPU, because a forward pass on the meta device imports torch._dynamo, which
takes 2 s of CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def zeros(skeleton: nn.Module) -> nn.Module:
    """Give a network on the meta device weights of zeros, in place, so that it can run.

    Each parameter is a single expanded zero, which takes no memory and cannot be trained.
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
    """Compute without torch's thread pool, because a pool started here breaks a later fork."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def classifies(net: nn.Module, images: torch.Tensor, n_classes: int) -> bool:
    """Tell whether `net` can train on such images, a batch, and returns `n_classes` logits."""
    try:
        logits = output(net, images)
    except (RuntimeError, ValueError, AssertionError):  # a layer does not accept such images
        return False
    return isinstance(logits, torch.Tensor) and logits.shape == (len(images), n_classes)


def output(net: nn.Module, inputs: torch.Tensor) -> object:
    """Return what `net` returns in training mode."""
    with torch.no_grad(), single_thread():
        return net.train()(inputs)
