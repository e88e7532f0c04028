"""Networks that announce other masks, or offer other weights, than the loop gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from prisam_p2p.byzantine.attacker import Attacker
from prisam_p2p.byzantine.corruptions import shuffled, times, with_nan
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import Weights
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.transport import events


class ByzantineNetwork(Neighbors):
    """Announces what `mask` and `weights` return for the true ones; here the true ones.

    Args:
        attacker: its tally counts the rounds in which something false is announced.
        given: arguments of Neighbors.
    """

    def __init__(self, attacker: Attacker, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._attacker = attacker

    def announce(self, round_index: int, similarity: PackedMask, weights: Weights) -> None:
        """See Neighbors."""
        announced, offered = self.mask(round_index, similarity), self.weights(weights)
        super().announce(round_index, announced, offered)
        if offered is not weights or announced != similarity:
            self._attacker.tally.add()

    def mask(self, _round_index: int, similarity: PackedMask) -> PackedMask:
        """Return the similarity mask that is announced."""
        return similarity

    def weights(self, weights: Weights) -> Weights:
        """Return the slim weights that are offered."""
        return weights


class RandomMask(ByzantineNetwork):
    """Announces a random mask with as many channels of every layer."""

    def mask(self, round_index: int, similarity: PackedMask) -> PackedMask:
        """See ByzantineNetwork; the draw follows from seed, peer and round."""
        spec = self._attacker.spec
        draws = np.random.default_rng(
            np.random.SeedSequence([spec.settings.seed, spec.index, round_index])
        )
        return PackedMask.pack(shuffled(self._layout, similarity.unpack(), draws))


class CopiedMask(ByzantineNetwork):
    """Announces the last mask that it heard from its first neighbor, before that its own."""

    def __init__(self, attacker: Attacker, *given: Any, **more: Any) -> None:
        super().__init__(attacker, *given, **more)
        self._neighbor = min(attacker.spec.neighbors)
        self._heard: PackedMask | None = None

    def mask(self, _round_index: int, similarity: PackedMask) -> PackedMask:
        """See ByzantineNetwork."""
        heard = self._heard
        return similarity if heard is None or heard.n_bits != similarity.n_bits else heard

    def _take_in(self, event: events.Event) -> None:
        if isinstance(event, events.MaskHeard) and event.neighbor == self._neighbor:
            self._heard = event.announced.mask
        super()._take_in(event)


class StaleMask(ByzantineNetwork):
    """Announces its mask of round 0 in every round."""

    def __init__(self, attacker: Attacker, *given: Any, **more: Any) -> None:
        super().__init__(attacker, *given, **more)
        self._first: PackedMask | None = None

    def mask(self, _round_index: int, similarity: PackedMask) -> PackedMask:
        """See ByzantineNetwork."""
        if self._first is None:
            # An earlier process of this peer may have written it.
            lines = read_journal(self._attacker.spec.journal_path)
            first = next(line for line in lines if line["record"] == "masked")
            self._first = PackedMask(similarity.n_bits, bytes.fromhex(first["similarity"]))
        return self._first


class NanWeights(ByzantineNetwork):
    """Offers weights with NaN in one tensor."""

    def weights(self, weights: Weights) -> Weights:
        """See ByzantineNetwork."""
        return with_nan(self._layout, weights)


class ScaledWeights(ByzantineNetwork):
    """Offers all trainable parameters times the attack's factor."""

    def weights(self, weights: Weights) -> Weights:
        """See ByzantineNetwork."""
        return times(self._layout, weights, self._attacker.attack.factor)


class SignFlippedWeights(ByzantineNetwork):
    """Offers all trainable parameters with their signs flipped."""

    def weights(self, weights: Weights) -> Weights:
        """See ByzantineNetwork."""
        return times(self._layout, weights, -1.0)
