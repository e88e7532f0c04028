"""Choose the channels to keep: from BN scale factors to masks (PRISAM, section IV-A)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Layout, Mask, State, Weights, narrow, widen

Importance = npt.NDArray[np.float64]


def kept_count(n_channels: int, prune_ratio: float) -> int:
    """Return n - floor(rho * n), at least 1, so that no layer is cut off.

    `prune_ratio` is taken as the decimal it was written as: 0.29 of 100 channels is 29, although
    0.29 * 100 is 28.999999999999996 in binary.

    Raises:
        ValueError: prune_ratio is outside [0, 1).
    """
    if not 0.0 <= prune_ratio < 1.0:
        raise ValueError(f"prune_ratio must be in [0, 1), got {prune_ratio}")
    return max(1, n_channels - math.floor(round(prune_ratio * n_channels, 9)))


def importance(layout: Layout, full: State) -> Importance:
    """Score every mask bit by the scale factors of the BN layers that it governs.

    A channel's score is |gamma| / mean |gamma| of its layer; coupled layers share the mean of
    their scores. The division keeps one coupled layer from outweighing another, and does not
    change the ranking within a layer.

    Args:
        full: tensors in dense shapes; the gamma of an absent channel is 0 and scores 0.

    Returns:
        Shape (layout.n_bits,), >= 0; comparable within a set only.

    Source: |gamma| as importance is the paper's (section IV-A); the sharing in coupled layers
        is ours: docs/decisions/0003-channel-sets.md.
    """
    scores = np.zeros(layout.n_bits)
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        for view in channel_set.views:
            gamma = np.abs(np.asarray(full[f"{view.layer}.weight"], np.float64))[view.positions]
            scores[span] += gamma / (gamma.mean() or 1.0)
        scores[span] /= len(channel_set.views)
    return scores


def gamma_change(layout: Layout, before: Weights, after: Weights) -> Importance:
    """Score every mask bit by how far training moved its scale factors, in either direction.

    What all members of a group have in common, the average that they began with, cancels out.

    Args:
        before: what the training began with.
        after: what it led to.

    Returns:
        Shape (layout.n_bits,), >= 0; as `importance`, of the differences. A channel that one of
        the two lacks scores 0.

    Source: ours, docs/decisions/0052-a-mask-that-adapts.md.
    """
    both = before.mask & after.mask
    old, new = (widen(layout, narrow(layout, each, both)).tensors for each in (before, after))
    names = {f"{view.layer}.weight" for each in layout.sets for view in each.views}
    moved = {n: np.asarray(new[n], np.float64) - np.asarray(old[n], np.float64) for n in names}
    return importance(layout, moved)


def random_scores(layout: Layout, rng: np.random.Generator) -> Importance:
    """Draw a score in [0, 1) for every mask bit: a ranking that says nothing about the data."""
    return rng.random(layout.n_bits)


def prune_mask(layout: Layout, scores: Importance, prune_ratio: float) -> Mask:
    """Drop the lowest fraction `prune_ratio` of every channel set.

    Args:
        scores: shape (layout.n_bits,), finite.

    Returns:
        Shape (layout.n_bits,); the `kept_count` highest scores of each set are True. Ties go to
        the lower index (the sort is stable, so that peers agree on a mask).

    Raises:
        ValueError: prune_ratio is outside [0, 1), or a score is NaN or infinite.

    Source: PRISAM Fig. 2 and section IV-A, one threshold per layer.
    """
    if not np.isfinite(scores).all():
        raise ValueError("a channel's importance is not finite")
    mask = np.zeros(layout.n_bits, np.bool_)
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        strongest = np.argsort(-scores[span], kind="stable")
        mask[span.start + strongest[: kept_count(channel_set.size, prune_ratio)]] = True
    return mask


def prune(
    layout: Layout,
    full: Weights,
    retained: Mask,
    prune_ratio: float,
    scores: Importance | None = None,
) -> Weights:
    """Prune(W, rho) of Algorithm 1: rank the retained channels and keep the best.

    Args:
        full: weights in full coordinates (mask all ones), zero where absent.
        retained: shape (layout.n_bits,): the channels that exist; no other is kept.
        prune_ratio: rho, in [0, 1).
        scores: what to rank by, shape (layout.n_bits,), >= 0; None = gamma, by `importance`.

    Returns:
        The slim weights. Where fewer channels exist than rho asks to keep, all of them stay.

    Raises:
        ValueError: prune_ratio is outside [0, 1), or a score is NaN or infinite.
    """
    # -1 is below 0, the score of an existing channel whose gamma is 0.
    scores = importance(layout, full.tensors) if scores is None else scores
    scores = np.where(retained, scores, -1.0)
    return narrow(layout, full, prune_mask(layout, scores, prune_ratio) & retained)


def similarity_mask(layout: Layout, scores: Importance, ratio: float, layers: str) -> Mask:
    """Return the mask that a peer announces: the top channels at one ratio common to the run.

    By gamma, with equal prune ratios, this is the structure mask. With mixed ratios, structure
    masks would group devices by their ratio instead of their data.

    Args:
        scores: what to rank by, shape (layout.n_bits,): `importance` or `gamma_change`.
        ratio: rho_m, the run's common prune ratio, in [0, 1).
        layers: `all`, or `last-N` for the last N channel sets.

    Returns:
        Shape (similarity_bits(layout, layers),).

    Raises:
        ValueError: ratio is outside [0, 1), or a score is NaN or infinite.

    Source: ours, docs/decisions/0004-similarity-mask.md.
    """
    mask = prune_mask(layout, scores, ratio)
    return mask[-similarity_bits(layout, layers) :]


def similarity_bits(layout: Layout, layers: str) -> int:
    """Return the number of bits of an announced mask for `layers` (`all` or `last-N`)."""
    if layers == "all":
        return layout.n_bits
    n_sets = int(layers.removeprefix("last-"))
    return sum(channel_set.size for channel_set in layout.sets[-n_sets:])
