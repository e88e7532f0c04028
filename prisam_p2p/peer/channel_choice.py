"""Which channels a peer keeps, announces and regrows, as the run's settings say.

The method ranks by gamma. The other rules are options (docs/decisions/0052-a-mask-that-adapts.md)
or controls, which tell what ranking by gamma is worth (0053-does-gamma-matter.md).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from prisam_p2p.core.layout import Layout, Mask, Weights, widen
from prisam_p2p.core.masks import (
    Importance,
    gamma_change,
    importance,
    prune,
    random_scores,
    similarity_mask,
)
from prisam_p2p.core.regrowth import put_back, swap_in, swap_mask
from prisam_p2p.settings import MaskBy, RankBy, RunSettings, SimilarityBy

_OF_CHANNELS, _OF_REGROWTH = 2, 3
"""Draw channels apart from a peer's shuffles and its own W0."""


class ChannelChoice:
    """The choice of channels of one peer.

    Args:
        index: the peer's place in the plan.
        w0: dense; what regrown channels are rebuilt from.
    """

    def __init__(self, settings: RunSettings, index: int, layout: Layout, w0: Weights) -> None:
        self._settings, self._index = settings, index
        self._layout, self._w0 = layout, w0

    def of_w0(self, prune_ratio: float) -> Weights:
        """Return W0 pruned to channels that are drawn; they say nothing about the data."""
        return prune(self._layout, self._w0, self._w0.mask, prune_ratio, self._drawn)

    def of_trained(self, trained: Weights, prune_ratio: float) -> Weights:
        """Return trained weights, slim at `prune_ratio` (step 8)."""
        full = widen(self._layout, trained)
        return prune(self._layout, full, trained.mask, prune_ratio, self._scores(full))

    def of_average(
        self, average: Weights, union: Mask, votes: Importance, began: Mask, prune_ratio: float
    ) -> Weights:
        """Return the group's average, slim at `prune_ratio` (step 6).

        Args:
            average: in dense shapes.
            union: the channels that some member retains.
            votes: the share of the members that retain each channel, shape (n_bits,).
            began: the channels that this round trained.
        """
        retained = union
        if self._settings.mask_by is MaskBy.GAMMA_ONCE and not began.all():
            retained = union & began
        scores = self._scores(average)
        if self._settings.rank_by is RankBy.VOTES:
            scores = scores * votes
        return prune(self._layout, average, retained, prune_ratio, scores)

    def w0_to_compare(self, ratio: float) -> Weights:
        """Return the W0 that `gamma-of-w0` trains: whole, or twice what a mask announces of it.

        Args:
            ratio: of the announced masks; 0.75 announces a quarter, so half of W0 is trained.
        """
        return self.of_w0(max(0.0, 2 * ratio - 1)) if self._settings.prune_w0 else self._w0

    def scores_to_compare(self, before: Weights | None, trained: Weights) -> Importance:
        """Return the scores that a similarity mask is made of.

        Args:
            before: what the round's training began with; gamma-change needs it.
            trained: what it led to; with gamma-of-w0, the trained W0.
        """
        if self._settings.similarity_by is SimilarityBy.GAMMA_CHANGE:
            assert before is not None, "gamma-change without a training"
            return gamma_change(self._layout, before, trained)
        return importance(self._layout, widen(self._layout, trained).tensors)

    def to_announce(self, scores: Importance, ratio: float) -> Mask:
        """Return the similarity mask (step 1): the top channels at the run's common ratio."""
        return similarity_mask(self._layout, scores, ratio, self._settings.similarity_layers)

    def swap_in(self, t: int, weights: Weights) -> Weights:
        """Return `weights` with some of their channels exchanged for regrown ones."""
        rng = np.random.default_rng([self._settings.seed, _OF_REGROWTH, t])
        scores = importance(self._layout, widen(self._layout, weights).tensors)
        share = self._settings.regrow_share
        swapped = swap_mask(self._layout, weights.mask, scores, share, rng)
        return swap_in(self._layout, weights, self._w0, swapped)

    def put_back(self, before: Weights, trained: Weights) -> Weights:
        """Return `trained` and the channels of `before` that made room for regrown ones."""
        return put_back(self._layout, before, trained, self._w0)

    def _scores(self, full: Weights) -> Importance:
        """Return what to rank the channels of weights in dense shapes by."""
        if self._settings.mask_by in (MaskBy.RANDOM_COMMON, MaskBy.RANDOM_OWN):
            return self._drawn
        return importance(self._layout, full.tensors)

    @cached_property
    def _drawn(self) -> Importance:
        own = [self._index] if self._settings.mask_by is MaskBy.RANDOM_OWN else []
        rng = np.random.default_rng([self._settings.seed, _OF_CHANNELS, *own])
        return random_scores(self._layout, rng)
