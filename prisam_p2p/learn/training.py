"""Local training, BN recalibration and evaluation of one network on one device's tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.optim.sgd import sgd

SMALLEST_BATCH = 4
"""A smaller last batch is dropped, because BN statistics of so few images are noise."""

_OF_FLIPS = 1
"""Draws flips apart from shuffles, so that batches are the same with and without flips."""

_EVALUATION_BATCH = 32
"""Small, so that evaluation needs no more memory than a training step."""


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of SGD with momentum, whose state starts anew each round (decision 0008).

    Attributes:
        gamma_l1: factor of the L1 penalty on BN scale factors; 0 = no penalty.
        weight_decay: this times each parameter is added to its gradient: of all parameters, those
            of BN layers and biases too.
        flips: mirror each image of a batch, left to right, with probability 1/2.
    """

    batch_size: int
    momentum: float
    gamma_l1: float
    weight_decay: float = 0.0
    flips: bool = False


@dataclass(frozen=True)
class Anchor:
    """Draws parameters towards values: the loss has strength / 2 x their squared distance more.

    Attributes:
        parameters: name -> its value, on the network's device.
        strength: lambda of Ditto, at least 0.
    """

    parameters: Mapping[str, torch.Tensor]
    strength: float


class Sgd:
    """SGD with momentum, by the function that torch.optim.SGD calls itself.

    Constructing torch.optim.SGD imports torch._dynamo: 850 modules and 1.8 s of CPU time for
    nothing (decision 0008). A test compares the weights of the two.
    """

    def __init__(
        self, net: nn.Module, learning_rate: float, momentum: float, weight_decay: float = 0.0
    ) -> None:
        self._parameters: list[torch.Tensor] = [p for p in net.parameters() if p.requires_grad]
        self._velocities: list[torch.Tensor | None] = [None] * len(self._parameters)
        self._learning_rate, self._momentum = learning_rate, momentum
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that is not frozen by its gradient; each must have one."""
        sgd(
            self._parameters,
            [p.grad for p in self._parameters if p.grad is not None],
            self._velocities,
            foreach=False,
            lr=self._learning_rate,
            momentum=self._momentum,
            weight_decay=self._weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training did.

    Attributes:
        steps: number of optimizer steps.
        images: number of images seen, repeats included.
        loss: mean cross entropy over them; None without a step.
    """

    steps: int
    images: int
    loss: float | None


def train(
    net: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    how: Hyperparameters,
    seed: int,
    after_step: Callable[[], None],
    in_turn: Sequence[Collection[str]] = (),
    anchor: Anchor | None = None,
) -> TrainingOutcome:
    """Train `net` in place.

    A last batch of fewer than SMALLEST_BATCH images is dropped.

    Args:
        images, labels: shapes (n, C, H, W) and (n,), on the network's device.
        epochs: passes over the images; each is shuffled anew.
        seed: of the shuffling, of dropout in the network and of flips.
        after_step: called after every step; may sleep (to slow the device down) or raise (to stop).
        in_turn: names of parameters, part after part; each part is trained for `epochs`, with new
            momentum, while all others are frozen. () = all parameters at once.
        anchor: what parameters are drawn to; None = nothing.
    """
    torch.manual_seed(seed)
    flips = np.random.default_rng([seed, _OF_FLIPS])
    total, steps, seen = torch.zeros((), device=images.device), 0, 0
    net.train()
    for part in in_turn or [[name for name, _ in net.named_parameters()]]:
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(name in part)
        optimizer = Sgd(net, learning_rate, how.momentum, how.weight_decay)
        for _ in range(epochs):
            for batch in _batches(len(labels), how.batch_size):
                net.zero_grad(set_to_none=True)
                inputs = _flipped(images[batch], flips) if how.flips else images[batch]
                loss = nn.functional.cross_entropy(net(inputs), labels[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                _add_penalties(net, how.gamma_l1, anchor)
                optimizer.step()
                total += loss.detach() * len(batch)
                steps, seen = steps + 1, seen + len(batch)
                after_step()
    net.requires_grad_(True)
    return TrainingOutcome(steps, seen, float(total) / seen if seen else None)


def recalibrate(net: nn.Module, images: torch.Tensor) -> None:
    """Replace all BN running statistics, in place, by their plain mean over one pass of `images`.

    The averages of the members' statistics do not describe the activations of averaged weights
    (decision 0007).

    Args:
        images: shape (n, C, H, W), on the network's device.
    """
    layers = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative average
    net.eval()  # no dropout
    for layer in layers:
        layer.train()
    with torch.no_grad():
        for block in torch.split(images, _EVALUATION_BATCH):
            if len(block) >= SMALLEST_BATCH:
                net(block)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def accuracy(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of `images` that `net` classifies correctly, in [0, 1].

    Args:
        images, labels: shapes (n, C, H, W) and (n,), on the network's device.
    """
    return float(hits(net, images, labels).float().mean())


def hits(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return for each image whether `net` classifies it correctly, shape (n,).

    Args:
        images, labels: shapes (n, C, H, W) and (n,), on the network's device.
    """
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(block) for block in torch.split(images, _EVALUATION_BATCH)])
    return logits.argmax(1) == labels


def loss(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean cross entropy of `net`, in evaluation mode.

    Args:
        images, labels: shapes (n, C, H, W) and (n,), on the network's device.
    """
    net.eval()
    with torch.no_grad():
        total = sum(
            float(nn.functional.cross_entropy(net(block), of_block, reduction="sum"))
            for block, of_block in zip(
                torch.split(images, _EVALUATION_BATCH),
                torch.split(labels, _EVALUATION_BATCH),
                strict=True,
            )
        )
    return total / len(labels)


def gradients(
    net: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, batch_size: int, seed: int
) -> dict[str, torch.Tensor]:
    """Return parameter -> gradient of the cross entropy on one batch.

    The network is in evaluation mode: BN layers use their statistics and do not change them.

    Args:
        images, labels: shapes (n, C, H, W) and (n,), on the network's device.
        seed: of the choice of the batch.
    """
    torch.manual_seed(seed)
    batch = torch.randperm(len(labels))[:batch_size]
    net.eval()
    net.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def _flipped(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return the images, each mirrored left to right with probability 1/2, shape (n, C, H, W)."""
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


@torch.no_grad()
def _add_penalties(net: nn.Module, gamma_l1: float, anchor: Anchor | None) -> None:
    """Add the gradients of the penalties to those of the parameters that are trained."""
    if gamma_l1:
        for norm in net.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and norm.weight.grad is not None:
                norm.weight.grad.add_(gamma_l1 * norm.weight.sign())
    if anchor:
        for name, parameter in net.named_parameters():
            if parameter.grad is not None:
                drift = parameter - anchor.parameters[name]
                parameter.grad.add_(anchor.strength * drift)


def _batches(n: int, batch_size: int) -> Iterator[torch.Tensor]:
    for batch in torch.split(torch.randperm(n), batch_size):
        if len(batch) >= SMALLEST_BATCH:
            yield batch
