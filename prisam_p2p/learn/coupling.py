"""Which channels of a network live or die together, found by tracing it once.

Torch-Pruning follows a channel from the convolution that makes it to every layer that sees it:
through additions (residual streams), concatenations, flattening and depthwise convolutions.
This module asks it for all of that and translates the answer into positions per layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Layer = nn.Conv2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d
_LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Touch:
    """One side of one layer that a coupled set of channels reaches.

    Attributes:
        layer: the layer's name in the network.
        tensors: the layer's tensors that have an axis there -> that axis.
        positions: shape (n,): where on that axis the set's channels stand.
        channels: shape (n,): which of the set's channels stands there.
    """

    layer: str
    tensors: dict[str, int]
    positions: npt.NDArray[np.intp]
    channels: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Coupling:
    """A set of `size` channels and all that they touch; at least one BN layer is among it."""

    size: int
    touches: tuple[Touch, ...]
    bn_layers: tuple[str, ...]


def is_depthwise(layer: nn.Module) -> bool:
    """Tell whether each channel has its own filter of one kernel, as in MobileNets."""
    return isinstance(layer, nn.Conv2d) and (
        1 < layer.groups == layer.in_channels == layer.out_channels
    )


def couplings(net: nn.Module, image_shape: tuple[int, int, int]) -> list[Coupling]:
    """Return the coupled sets that BN masks can prune, in the order of their first BN layer.

    A set is left out, so its channels always stay, where it holds no BN layer, reaches the
    network's output, or touches a layer that cannot be cut channel by channel (a grouped
    convolution that is not depthwise; anything with parameters but Conv2d, Linear, BatchNorm).

    Args:
        net: on the CPU, parameters requiring gradients (the trace follows autograd's graph;
            nothing is differentiated).
        image_shape: (C, H, W).

    Raises:
        ValueError: no set is left, or the trace fails (as on ShuffleNet's channel shuffle).
    """
    net.eval()
    try:
        graph, groups = _trace(net, image_shape)
    except Exception as error:  # Torch-Pruning raises many types where it loses the thread
        raise ValueError(f"the network cannot be traced: {error!r}") from error
    names = {module: name for name, module in net.named_modules()}
    found = [_coupling(graph, group, names) for group in groups if _is_prunable(group)]
    if not found:
        raise ValueError("no BN layer's channels can be cut")
    order = {name: i for i, name in enumerate(names.values())}
    return sorted(found, key=lambda coupling: order[coupling.bn_layers[0]])


def _trace(net: nn.Module, image_shape: tuple[int, int, int]) -> tuple[Any, list[Any]]:
    import torch_pruning  # 0.1 s

    graph = torch_pruning.DependencyGraph()
    with torch.enable_grad():
        image = torch.zeros(1, *image_shape, device="cpu")
        graph.build_dependency(net, (image,), verbose=False)
    # Rooted in what makes channels, never in a BN layer: behind a concatenation a BN layer
    # sees channels of many convolutions, and each of these is a set of its own.
    return graph, list(graph.get_all_groups(root_module_types=[nn.Conv2d, nn.Linear]))


def _is_prunable(group: Any) -> bool:
    import torch_pruning

    modules = [dep.target.module for dep, _ in group]
    if not any(isinstance(module, _BATCH_NORMS) for module in modules):
        return False
    if any(dep.target.type == torch_pruning.ops.OPTYPE.OUTPUT for dep, _ in group):
        return False
    return all(_can_cut(module) for module in modules)


def _can_cut(module: nn.Module | nn.Parameter) -> bool:
    if isinstance(module, nn.Conv2d):
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
