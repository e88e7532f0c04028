"""Regrow dead channels from W0: swap some in, train, and let gamma decide which stay.

A channel that every member of a group has dropped exists nowhere any more, so that no average can
bring it back. Every peer can rebuild it from the run's seed, at no byte. Not in the paper:
docs/decisions/0052-a-mask-that-adapts.md.
"""

from __future__ import annotations

import numpy as np

from prisam_p2p.core.layout import Layout, Mask, Weights, narrow
from prisam_p2p.core.masks import Importance


def swap_mask(
    layout: Layout,
    mask: Mask,
    scores: Importance,
    share: float,
    rng: np.random.Generator,
) -> Mask:
    """Exchange the weakest kept channels of each set for dead ones that are drawn.

    Args:
        mask: shape (layout.n_bits,): the channels that exist; the others are dead.
        scores: shape (layout.n_bits,): importance of the channels that exist.
        share: of the existing channels of a set, how many are exchanged: rounded, at least one
            where a channel is dead, at most half of those that exist.
        rng: the same at all peers in a round. It draws one order of all channels, so that peers
            whose masks are alike are given the same channels.

    Returns:
        Shape (layout.n_bits,): each set keeps as many channels as before. Of equal scores, the
        higher index is exchanged first, as `prune_mask` drops it first.
    """
    order, swapped = rng.random(layout.n_bits), mask.copy()
    for span in layout.spans:
        alive, dead = np.flatnonzero(mask[span]), np.flatnonzero(~mask[span])
        n = min(max(1, round(share * len(alive))), len(alive) // 2, len(dead))
        strongest = alive[np.argsort(-scores[span][alive], kind="stable")]
        drawn = dead[np.argsort(order[span][dead], kind="stable")]
        swapped[span.start + strongest[len(alive) - n :]] = False
        swapped[span.start + drawn[:n]] = True
    return swapped


def laid_over(layout: Layout, base: Weights, *layers: Weights) -> Weights:
    """Return `base` in dense shapes, with the entries that each of `layers` keeps laid over it.

    Where an entry belongs to several layers, the last one's value holds.

    Args:
        base: dense.
    """
    tensors = {name: array.copy() for name, array in base.tensors.items()}
    for weights in layers:
        for tensor in layout.tensors:
            tensors[tensor.name][tensor.at(weights.mask)] = weights.tensors[tensor.name]
    return Weights(layout.full_mask(), tensors)


def swap_in(layout: Layout, weights: Weights, w0: Weights, swapped: Mask) -> Weights:
    """Return what is trained: `weights` at the channels of `swapped`.

    A weight between two channels that `weights` keeps is theirs; all others of a regrown channel,
    from its inputs, to its outputs, its gamma and statistics, are those of W0.
    """
    return narrow(layout, laid_over(layout, w0, weights), swapped)


def put_back(layout: Layout, before: Weights, trained: Weights, w0: Weights) -> Weights:
    """Return what is ranked: `trained`, and the channels of `before` that made room for others.

    The latter come back as they were: a regrown channel stays if its gamma, after training, is
    above theirs.
    """
    whole = laid_over(layout, w0, before, trained)
    return narrow(layout, whole, before.mask | trained.mask)
