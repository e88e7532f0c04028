"""A learner for unstructured sparsity, where every weight has a mask bit (core/entrywise.py).

It trains the dense network, with zeros for dropped weights: unstructured sparsity saves neither
time nor memory here, as on most hardware.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from prisam_p2p.core.entrywise import EntryLayout, entries_of, network_of
from prisam_p2p.core.layout import Mask, Weights
from prisam_p2p.learn.dataset_pools import Images, Labels
from prisam_p2p.learn.learner import Learner
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.pace import Pace
from prisam_p2p.learn.splits import PeerData
from prisam_p2p.learn.structure import weights_of
from prisam_p2p.learn.training import Hyperparameters


class EntryLearner(Learner):
    """A Learner whose weights are those of an EntryLayout; training keeps dropped entries at zero.

    Args:
        layout: of the entries; the other arguments are those of Learner.
    """

    def __init__(
        self,
        layout: EntryLayout,
        architecture: Architecture,
        images: Images,
        labels: Labels,
        data: PeerData,
        how: Hyperparameters,
        seed: int,
        device: str,
    ) -> None:
        super().__init__(architecture, images, labels, data, how, seed, device)
        self._layout = layout

    def initial_weights(self, seed: int) -> Weights:
        """See Learner; every entry is kept."""
        w0 = super().initial_weights(seed)
        return entries_of(self._layout, w0, self._layout.full_mask())

    def layer_macs(self, _mask: Mask) -> dict[str, int]:
        """Return those of the dense network: dropped entries are zeros, and are multiplied."""
        return super().layer_macs(self._layout.network.full_mask())

    def _net(self, weights: Weights) -> nn.Module:
        return super()._net(network_of(self._layout, weights))

    def _weights_of(self, net: nn.Module, before: Weights) -> Weights:
        whole = weights_of(net, self._layout.network.full_mask())
        return entries_of(self._layout, whole, before.mask)

    def _after_step(self, net: nn.Module, weights: Weights, pace: Pace) -> Callable[[], None]:
        """Return a callback that also sets dropped entries back to zero."""
        mask = torch.from_numpy(weights.mask).to(self._device)
        kept = {
            tensor.name: mask[span].reshape(tensor.shape)
            for tensor, span in self._layout.governed()
        }

        def after_step() -> None:
            with torch.no_grad():
                for name, parameter in net.named_parameters():
                    parameter.mul_(kept[name])
            pace.after_step()

        return after_step
