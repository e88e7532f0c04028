"""A device's training and evaluation: NumPy weights in, NumPy weights out, torch inside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from prisam_p2p.core.layout import Mask, State, Weights
from prisam_p2p.learn import training
from prisam_p2p.learn.cost import layer_macs
from prisam_p2p.learn.dataset_pools import Images, Indices, Labels
from prisam_p2p.learn.malloc import return_freed_memory
from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.pace import Pace
from prisam_p2p.learn.shared_data import release_pages
from prisam_p2p.learn.splits import PeerData
from prisam_p2p.learn.structure import layout_of, slim_module, state_of, weights_of


@lru_cache(maxsize=2)
def initial_weights(architecture: Architecture, seed: int) -> Weights:
    """Return W0, the same on every peer of a run, dense and read-only.

    It is cached, so that forked peers share its memory.

    Args:
        seed: the run's.

    Raises:
        ConfigError: `models.build` refuses the architecture.
    """
    tensors = state_of(build(architecture, seed))
    for array in tensors.values():
        array.flags.writeable = False
    return Weights(layout_of(architecture).full_mask(), tensors)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in [0, 1] on a device's validation set and on its test set.

    Attributes:
        right, of: for each class, test images that were classified rightly, and test images.
    """

    validation: float
    test: float
    right: tuple[int, ...] = ()
    of: tuple[int, ...] = ()


class Learner:
    """Trains, recalibrates and evaluates weights on one device's images.

    Args:
        images, labels: all inputs of the run, shapes (n, C, H, W) where they are images, and (n,).
        data: indices of this device's images.
        how: hyperparameters of the training.
        seed: of this device; each round shuffles and flips by (seed, round).
        device: "cpu" or "cuda".
    """

    def __init__(
        self,
        architecture: Architecture,
        images: Images,
        labels: Labels,
        data: PeerData,
        how: training.Hyperparameters,
        seed: int,
        device: str,
    ) -> None:
        self._architecture, self._how, self._seed = architecture, how, seed
        self._device = torch.device(device)
        self._images, self._labels, self._data = images, labels, data
        self._counted: tuple[bytes, dict[str, int]] | None = None

    @property
    def n_train(self) -> int:
        """The number of training images."""
        return len(self._data.train)

    def macs(self, mask: Mask) -> int:
        """Return the MACs of one image's forward pass through the network of this mask."""
        return sum(self.layer_macs(mask).values())

    def layer_macs(self, mask: Mask) -> dict[str, int]:
        """Return those of each layer, in the order in which an image passes them."""
        key = mask.tobytes()
        if self._counted is None or self._counted[0] != key:  # masks seldom change at last
            self._counted = key, layer_macs(self._architecture, mask)
        return self._counted[1]

    def load(self, data: PeerData) -> None:
        """Train, recalibrate and evaluate on other images from now on."""
        self._data = data

    def initial_weights(self, seed: int) -> Weights:
        """Return the W0 of this device's model that follows from `seed`, dense and read-only."""
        return initial_weights(self._architecture, seed)

    def train(
        self,
        weights: Weights,
        *,
        round_index: int,
        epochs: int,
        learning_rate: float,
        pace: Pace,
        in_turn: Sequence[Collection[str]] = (),
        toward: Weights | None = None,
        strength: float = 0.0,
    ) -> tuple[Weights, training.TrainingOutcome]:
        """Train `weights` on the training images (Algorithm 1, step 7).

        Args:
            round_index: seeds shuffling and flips, with the device's seed.
            epochs: passes over the training images.
            pace: called after every step; what it raises ends the training.
            in_turn: names of parameters that are trained part after part; () = all at once.
            toward: weights of the same mask, to which parameters are drawn; None = nothing.
            strength: how much they are (`training.Anchor`).

        Returns:
            New weights of the same mask, and what the training did.
        """
        net = self._net(weights)
        images, labels = self._tensors(self._data.train)
        seeds = np.random.SeedSequence([self._seed, round_index])
        outcome = training.train(
            net,
            images,
            labels,
            epochs=epochs,
            learning_rate=learning_rate,
            how=self._how,
            seed=int(seeds.generate_state(1)[0]),
            after_step=self._after_step(net, weights, pace),
            in_turn=in_turn,
            anchor=self._anchor(toward, strength) if toward else None,
        )
        trained = self._weights_of(net, weights)
        del net, images, labels
        return_freed_memory()
        return trained, outcome

    def recalibrate(self, weights: Weights) -> Weights:
        """Return `weights` with the BN statistics of one pass over the training images."""
        net = self._net(weights)
        training.recalibrate(net, self._tensors(self._data.train)[0])
        return self._weights_of(net, weights)

    def accuracy(self, weights: Weights) -> Accuracy:
        """Return the accuracy of `weights` on the validation and on the test images."""
        net = self._net(weights)
        n_classes = self._architecture.n_classes
        validation = training.accuracy(net, *self._tensors(self._data.validation))
        images, labels = self._tensors(self._data.test)  # copies of one set at a time
        hits = training.hits(net, images, labels)
        right, of = (torch.bincount(each, minlength=n_classes) for each in (labels[hits], labels))
        test = float(hits.float().mean())
        del images, labels
        return_freed_memory()
        return Accuracy(validation, test, tuple(right.tolist()), tuple(of.tolist()))

    def loss(self, weights: Weights) -> float:
        """Return the mean cross entropy of `weights` on the training images."""
        return training.loss(self._net(weights), *self._tensors(self._data.train))

    def gradients(self, weights: Weights, *, round_index: int) -> State:
        """Return parameter -> its gradient on one batch of the training images.

        Args:
            round_index: seeds the choice of the batch, with the device's seed.

        Returns:
            Name -> dense gradient of the cross entropy at `weights`, in evaluation mode.
        """
        seeds = np.random.SeedSequence([self._seed, round_index])
        found = training.gradients(
            self._net(weights),
            *self._tensors(self._data.train),
            batch_size=self._how.batch_size,
            seed=int(seeds.generate_state(1)[0]),
        )
        return {name: gradient.cpu().numpy() for name, gradient in found.items()}

    def _anchor(self, toward: Weights, strength: float) -> training.Anchor:
        parameters = dict(self._net(toward).named_parameters())
        return training.Anchor(parameters, strength)

    def _after_step(self, _net: nn.Module, _weights: Weights, pace: Pace) -> Callable[[], None]:
        return pace.after_step

    def _weights_of(self, net: nn.Module, before: Weights) -> Weights:
        return weights_of(net, before.mask)

    def _net(self, weights: Weights) -> nn.Module:
        # With channels last, a step takes 0.67 to 0.88 of the time (benchmarks/memory_format.py).
        net: nn.Module = slim_module(self._architecture, weights).to(
            self._device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        return net

    def _tensors(self, rows: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Return copies of images and labels at `rows`, on the device."""
        inputs = torch.from_numpy(self._images[rows]).to(self._device)
        release_pages(self._images)
        labels = torch.from_numpy(self._labels[rows]).to(self._device)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, labels
