"""From the coupled sets of a network to its layout: one mask bit a channel, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from prisam_p2p.core.layout import UNGOVERNED, BnView, ChannelSet, Layout, TensorLayout
from prisam_p2p.learn.coupling import Coupling, Touch

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
