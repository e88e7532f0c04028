"""Networks that announce other masks, or offer other weights, than the loop hands them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from prisam_p2p.byzantine.corruptions import Tally, shuffled, times, with_nan
from prisam_p2p.core.bits import unpack_bits
from prisam_p2p.core.layout import Mask, Weights
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.peer.neighbors import Network
from prisam_p2p.transport import events


class LyingNetwork(Network):
    """Announces what `mask` and `weights` make of the truth; here: the truth.

    Args:
        tally: counts each round with a lie.
        given: what a Network is made of.
    """

    def __init__(self, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._tally = tally

    def announce(self, round_index: int, similarity: Mask, weights: Weights) -> None:
        """See Network."""
        told, offered = self.mask(round_index, similarity), self.weights(weights)
        super().announce(round_index, told, offered)
        if offered is not weights or not np.array_equal(told, similarity):
            self._tally.add()

    def mask(self, _round_index: int, similarity: Mask) -> Mask:
        """Return the similarity mask to be announced."""
        return similarity

    def weights(self, weights: Weights) -> Weights:
        """Return the slim weights to be offered."""
        return weights


class LyingMask(LyingNetwork):
    """Announces a random mask with as many channels of every layer.

    Args:
        seed: of the run and of the peer.
    """

    def __init__(self, seed: tuple[int, int], tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(tally, *given, **more)
        self._seed = seed

    def mask(self, round_index: int, similarity: Mask) -> Mask:
        """See LyingNetwork; the draw follows from seed, peer and round."""
        draws = np.random.default_rng(np.random.SeedSequence([*self._seed, round_index]))
        return shuffled(self._layout, similarity, draws)


class CopiedMask(LyingNetwork):
    """Announces the last mask that it heard from one neighbor; its own until there is one."""

    def __init__(self, neighbor: str, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(tally, *given, **more)
        self._neighbor = neighbor
        self._heard: Mask | None = None

    def mask(self, _round_index: int, similarity: Mask) -> Mask:
        """See LyingNetwork."""
        heard = self._heard
        return similarity if heard is None or len(heard) != len(similarity) else heard

    def _take_in(self, event: events.Event) -> None:
        if isinstance(event, events.MaskHeard) and event.neighbor == self._neighbor:
            self._heard = unpack_bits(event.message.bits, event.message.n_bits)
        super()._take_in(event)


class StaleMask(LyingNetwork):
    """Announces the mask of round 0 in every round.

    Args:
        journal_path: the peer's own: a process that came later finds the mask there.
    """

    def __init__(self, journal_path: Path, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(tally, *given, **more)
        self._journal_path = journal_path
        self._first: Mask | None = None

    def mask(self, _round_index: int, similarity: Mask) -> Mask:
        """See LyingNetwork."""
        if self._first is None:
            lines = read_journal(self._journal_path)
            first = next(line for line in lines if line["record"] == "masked")
            self._first = unpack_bits(bytes.fromhex(first["similarity"]), len(similarity))
        return self._first


class WithNan(LyingNetwork):
    """Offers weights that are not finite."""

    def weights(self, weights: Weights) -> Weights:
        """See LyingNetwork."""
        return with_nan(self._layout, weights)


class Times(LyingNetwork):
    """Offers all weights times a factor."""

    def __init__(self, factor: float, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(tally, *given, **more)
        self._factor = factor

    def weights(self, weights: Weights) -> Weights:
        """See LyingNetwork."""
        return times(self._layout, weights, self._factor)
