"""Local training, BN recalibration and evaluation of one network on one device's tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.sgd import sgd

SMALLEST_BATCH = 4
"""BN statistics of fewer images are noise: a smaller last batch is dropped."""

_EVALUATION_BATCH = 32
"""Few enough that a peer's memory is that of its training step, not of its evaluation."""


@dataclass(frozen=True)
class Hyperparameters:
    """How a device trains. SGD with momentum, a fresh optimizer each round (ADR 0008)."""

    batch_size: int
    momentum: float
    gamma_l1: float


class Sgd:
    """torch.optim.SGD with momentum, by its own functional form.

    The class itself imports torch._dynamo when it is made: 1.8 s of CPU and 850 modules that
    nothing here uses (ADR 0008; a test holds the two to the same weights).
    """

    def __init__(self, net: nn.Module, learning_rate: float, momentum: float) -> None:
        self._parameters: list[torch.Tensor] = list(net.parameters())
        self._velocities: list[torch.Tensor | None] = [None] * len(self._parameters)
        self._learning_rate, self._momentum = learning_rate, momentum

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter against its gradient; all must have one."""
        sgd(
            self._parameters,
            [p.grad for p in self._parameters if p.grad is not None],
            self._velocities,
            foreach=False,
            lr=self._learning_rate,
            momentum=self._momentum,
            weight_decay=0.0,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


@dataclass(frozen=True)
class TrainingOutcome:
    """Steps made, images seen, and the mean loss over them (None without a step)."""

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
) -> TrainingOutcome:
    """Train `net` in place.

    Args:
        images: shape (n, C, H, W); labels: shape (n,), both on the network's device.
        epochs: passes over the images; each is shuffled anew from `seed`.
        after_step: called after every step; may sleep (to slow a device down) or raise (to stop).
    """
    torch.manual_seed(seed)  # the shuffle here, and dropout in the network
    optimizer = Sgd(net, learning_rate, how.momentum)
    gammas = [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    total, steps, seen = torch.zeros((), device=images.device), 0, 0
    net.train()
    for _ in range(epochs):
        for batch in _batches(len(labels), how.batch_size):
            net.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(images[batch]), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            for gamma in gammas if how.gamma_l1 else ():
                assert gamma.grad is not None
                gamma.grad.add_(how.gamma_l1 * gamma.detach().sign())
            optimizer.step()
            total += loss.detach() * len(batch)
            steps, seen = steps + 1, seen + len(batch)
            after_step()
    return TrainingOutcome(steps, seen, float(total) / seen if seen else None)


def recalibrate(net: nn.Module, images: torch.Tensor) -> None:
    """Renew all BN running statistics in place: their plain mean over one pass of `images`.

    Averaged weights have activations that none of the averaged statistics describe (ADR 0007).
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
    """Return the share of `images` that `net` classifies right, in [0, 1]."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(block) for block in torch.split(images, _EVALUATION_BATCH)])
    return float((logits.argmax(1) == labels).float().mean())


def loss(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean cross entropy of `net`, in evaluation mode, over `images`."""
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
    """Return parameter -> its gradient of the cross entropy on one batch drawn from `seed`.

    In evaluation mode: BN layers use their statistics, and do not change them.
    """
    torch.manual_seed(seed)
    batch = torch.randperm(len(labels))[:batch_size]
    net.eval()
    net.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def _batches(n: int, batch_size: int) -> Iterator[torch.Tensor]:
    for batch in torch.split(torch.randperm(n), batch_size):
        if len(batch) >= SMALLEST_BATCH:
            yield batch
