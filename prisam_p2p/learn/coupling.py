"""Find the coupled channels of a network by tracing it, and derive its layout from them.

Torch-Pruning follows a channel from the convolution that produces it to every layer that reads it,
through additions (residual streams), concatenations, flattening and depthwise convolutions.
`couplings` translates its answer into positions per layer; `layout_from` turns these into the
layout that says which mask bit governs which weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from prisam_p2p.core.layout import UNGOVERNED, BnView, ChannelSet, Layout, TensorLayout

Convolution = nn.Conv1d | nn.Conv2d
Layer = Convolution | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

Bits = dict[str, dict[int, npt.NDArray[np.intp]]]
"""Tensor name -> axis -> governing bit of each position."""


@dataclass(frozen=True)
class Touch:
    """The input or output side of one layer, as far as a coupled set of channels reaches it.

    Attributes:
        layer: the layer's name in the network.
        tensors: name of each tensor of the layer with such an axis -> the axis.
        positions: shape (n,): positions on that axis that belong to the set.
        channels: shape (n,): index within the set of the channel at each position.
    """

    layer: str
    tensors: dict[str, int]
    positions: npt.NDArray[np.intp]
    channels: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Coupling:
    """A set of coupled channels.

    Attributes:
        size: number of channels.
        touches: every side of a layer that the channels reach.
        bn_layers: names of the BN layers among them, at least one, in the network's order.
    """

    size: int
    touches: tuple[Touch, ...]
    bn_layers: tuple[str, ...]


def is_depthwise(layer: nn.Module) -> bool:
    """Tell whether `layer` is a depthwise convolution: one kernel per channel, as in MobileNets."""
    return isinstance(layer, Convolution) and (
        1 < layer.groups == layer.in_channels == layer.out_channels
    )


def couplings(net: nn.Module, example: torch.Tensor) -> list[Coupling]:
    """Return the coupled sets that BN masks can prune, in the order of their first BN layer.

    A set is left out, so that its channels are always kept, if it contains no BN layer, reaches
    the network's output, or touches a layer that cannot be pruned channel by channel (a grouped
    convolution that is not depthwise, or any layer with parameters other than convolutions of one
    or two dimensions, Linear and BatchNorm).

    Args:
        net: on the CPU, with parameters that require gradients: the trace follows autograd's
            graph, but computes no gradient.
        example: a batch of one input.

    Raises:
        ValueError: no set can be pruned, or the trace fails (as for ShuffleNet's channel shuffle).
    """
    net.eval()
    try:
        graph, groups = _trace(net, example)
    except Exception as error:  # Torch-Pruning raises many types for a network it cannot trace
        raise ValueError(f"the network cannot be traced: {error!r}") from error
    names = {module: name for name, module in net.named_modules()}
    found = [_coupling(graph, group, names) for group in groups if _is_prunable(group)]
    if not found:
        raise ValueError("no BN layer's channels can be pruned")
    order = {name: i for i, name in enumerate(names.values())}
    return sorted(found, key=lambda coupling: order[coupling.bn_layers[0]])


def _trace(net: nn.Module, example: torch.Tensor) -> tuple[Any, list[Any]]:
    import torch_pruning  # 0.1 s

    graph = torch_pruning.DependencyGraph()
    with torch.enable_grad():
        graph.build_dependency(net, (example,), verbose=False)
    # The roots are the layers that produce channels, never BN layers: behind a concatenation, a
    # BN layer has channels of many convolutions, each of which is a set of its own.
    return graph, list(graph.get_all_groups(root_module_types=[nn.Conv1d, nn.Conv2d, nn.Linear]))


def _is_prunable(group: Any) -> bool:
    import torch_pruning

    modules = [dep.target.module for dep, _ in group]
    if not any(isinstance(module, _BATCH_NORMS) for module in modules):
        return False
    if any(dep.target.type == torch_pruning.ops.OPTYPE.OUTPUT for dep, _ in group):
        return False
    return all(_can_prune(module) for module in modules)


def _can_prune(module: nn.Module | nn.Parameter) -> bool:
    if isinstance(module, Convolution):
        return module.groups == 1 or is_depthwise(module)
    if isinstance(module, _LAYERS):
        return True
    return isinstance(module, nn.Module) and not any(True for _ in module.parameters())


def _coupling(graph: Any, group: Any, names: dict[nn.Module, str]) -> Coupling:
    touches = []
    bn_layers = []
    for item in group:
        module = item.dep.target.module
        if not isinstance(module, _LAYERS):
            continue  # an operator, such as an addition
        outward = graph.is_out_channel_pruning_fn(item.dep.handler)
        touches.append(
            Touch(
                names[module],
                _axes(module, outward),
                np.array(item.idxs, np.intp),
                np.array(item.root_idxs, np.intp),
            )
        )
        if isinstance(module, _BATCH_NORMS):
            bn_layers.append(names[module])
    order = list(names.values()).index
    return Coupling(len(group[0].idxs), tuple(touches), tuple(sorted(bn_layers, key=order)))


def _axes(layer: Layer, outward: bool) -> dict[str, int]:
    if isinstance(layer, _BATCH_NORMS):
        return {"weight": 0, "bias": 0, "running_mean": 0, "running_var": 0}
    if not outward and not is_depthwise(layer):
        return {"weight": 1}
    return {"weight": 0} if layer.bias is None else {"weight": 0, "bias": 0}


def layout_from(net: nn.Module, found: Sequence[Coupling]) -> Layout:
    """Return the layout of `net` whose channel sets are `found`, in that order.

    Args:
        net: may be on the meta device.

    Raises:
        ValueError: two bits would govern one position, or a BN layer has only some of a set's
            channels.
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
                    raise ValueError(f"{name}: two mask bits govern one position on axis {axis}")
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
        raise ValueError(f"{touch.layer} does not have each channel of its set exactly once")
    return BnView(touch.layer, touch.positions[order])
