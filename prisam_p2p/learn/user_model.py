"""Models of users' code: how they are made, and what they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import user_code
from prisam_p2p.learn.dry_run import output, single_thread

if TYPE_CHECKING:
    from prisam_p2p.learn.models import Architecture

OPTION = "--model"
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def make_user_model(architecture: Architecture) -> nn.Module:
    """Return what the user's function returns.

    Raises:
        ConfigError: the function fails, or returns no network.
    """
    assert architecture.factory
    with user_code(OPTION, architecture.name), single_thread():
        net: object = architecture.factory(architecture.data, architecture.width)
    if not isinstance(net, nn.Module):
        right = f"a function that returns a torch.nn.Module, not {type(net).__name__}"
        raise ConfigError(OPTION, "", architecture.name, right)
    return net


def check_user_model(architecture: Architecture, net: nn.Module, runs: nn.Module) -> None:
    """Check that a network has the BN layers that the method needs, and classifies the data.

    Args:
        runs: a copy of `net` that can run.

    Raises:
        ConfigError: it does not; it says why.
    """
    norms = [(name, m) for name, m in net.named_modules() if isinstance(m, _BATCH_NORMS)]
    if not norms:
        right = (
            "a model with BatchNorm1d or BatchNorm2d layers: their scale factors say which "
            "channels a peer keeps, and are what peers compare"
        )
        raise ConfigError(OPTION, "", architecture.name, right)
    for name, norm in norms:
        if not (norm.affine and norm.track_running_stats):
            right = "BatchNorm layers with affine=True and track_running_stats=True"
            raise ConfigError(OPTION, "", architecture.name, f"{right}; {name} is not so")
    for name, tensor in net.state_dict().items():
        if tensor.dtype not in (torch.float32, torch.int64):
            right = f"weights of float32 (or counters of int64); {name} is {tensor.dtype}"
            raise ConfigError(OPTION, "", architecture.name, right)
    with user_code(OPTION, architecture.name):
        logits = output(runs, architecture.blank(2))
    shape = (2, architecture.n_classes)
    if not (isinstance(logits, torch.Tensor) and logits.shape == shape):
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        right = f"a model that returns logits of shape {shape} for a batch of two, not {got}"
        raise ConfigError(OPTION, "", architecture.name, right)


def check_reproducible(architecture: Architecture, one: nn.Module, other: nn.Module) -> None:
    """Check that two networks from one seed are equal: all peers begin with the same.

    Raises:
        ConfigError: they are not.
    """
    theirs = other.state_dict()
    for name, tensor in one.state_dict().items():
        if name not in theirs or not torch.equal(tensor, theirs[name]):
            right = f"initial weights that follow from torch's seed alone; {name} does not"
            raise ConfigError(OPTION, "", architecture.name, right)
