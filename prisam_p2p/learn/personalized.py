"""Save and load a peer's final slim network, as one safetensors file.

Use it anywhere this package is installed:

    from prisam_p2p.learn.personalized import load_personalized

    net = load_personalized("peer-007.safetensors")  # an nn.Module in evaluation mode
    logits = net(images)  # shape (batch, n_classes); images of the run's shape and scaling

The tensors are the slim network's, under torch's state_dict names. The metadata describes the
network: `architecture` (JSON: name, width, n_classes, image_shape, dtype), `mask` (hex, bit 0 in
the high bit of the first byte, True = kept), `sets` (JSON: name and number of bits of each channel
set, in the mask's order), `code` (where the network is users' code: how they named it), and the
caller's additions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import nn

from prisam_p2p.core.layout import Layout, Weights
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.data_spec import DataSpec
from prisam_p2p.learn.models import Architecture, empty
from prisam_p2p.learn.structure import dress
from prisam_p2p.measure.files import written_beside

_ARCHITECTURE = pydantic.TypeAdapter(Architecture)


def save_personalized(
    path: Path | str,
    architecture: Architecture,
    layout: Layout,
    weights: Weights,
    extra: dict[str, str],
) -> None:
    """Write a slim network to `path`, atomically: to a temporary file that is then renamed.

    Args:
        extra: more metadata, such as accuracy or rho.

    Raises:
        ValueError: `extra` has a key that this module uses itself.
        OSError: the file cannot be written.
    """
    own = {
        "architecture": json.dumps(_described(architecture)),
        "mask": np.packbits(weights.mask).tobytes().hex(),
        "sets": json.dumps([[s.name, s.size] for s in layout.sets]),
    }
    if architecture.factory:
        own["code"] = architecture.name
    if own.keys() & extra.keys():
        raise ValueError(f"reserved metadata keys: {sorted(own.keys() & extra.keys())}")
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in weights.tensors.items()}
    with written_beside(Path(path)) as beside:  # save_file's errors would name neither it nor why
        beside.write_bytes(save(arrays, own | extra))


def load_personalized(
    path: Path | str, factory: Callable[[DataSpec, float], nn.Module] | None = None
) -> nn.Module:
    """Return the network that `save_personalized` wrote, in evaluation mode.

    Args:
        factory: the function that made the network, where it is users' code: a file may come from
            a stranger, so the code that it names is never imported.

    Raises:
        ConfigError: the file cannot be read, was not written by `save_personalized`, its tensors
            do not fit its metadata, or its network is users' code and there is no `factory`.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: torch.from_numpy(file.get_tensor(name)) for name in list(file.keys())}
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: a dtype unknown to torch
        raise ConfigError(str(path), "", str(error), "a readable safetensors file") from error
    try:
        architecture = _ARCHITECTURE.validate_json(metadata.get("architecture", ""))
    except pydantic.ValidationError as error:
        right = "the metadata that save_personalized writes"
        raise ConfigError(str(path), "architecture", metadata.get("architecture"), right) from error
    if "code" in metadata and factory is None:
        right = "the function that this names, as the argument factory; it is never imported"
        raise ConfigError(str(path), "code", metadata["code"], right)
    return _network(str(path), replace(architecture, factory=factory), tensors)


def _described(architecture: Architecture) -> dict[str, object]:
    return {
        "name": architecture.name,
        "width": architecture.width,
        "n_classes": architecture.n_classes,
        "image_shape": architecture.image_shape,
        "dtype": architecture.dtype,
    }


def _network(path: str, architecture: Architecture, tensors: dict[str, torch.Tensor]) -> nn.Module:
    try:
        net = dress(empty(architecture), tensors).eval()
        with torch.no_grad():  # raises if the shapes of layers do not fit each other
            logits = net(architecture.blank(1))
    except (ValueError, RuntimeError) as error:
        right = f"the tensors of a slim {architecture.name}"
        raise ConfigError(path, "", str(error), right) from error
    if logits.shape != (1, architecture.n_classes):
        right = f"the tensors' {logits.shape[-1]}"
        raise ConfigError(path, "n_classes", architecture.n_classes, right)
    return net
