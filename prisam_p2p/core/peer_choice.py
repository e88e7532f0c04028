"""Choose peers to average with without masks: at random, or by the loss of their models.

By loss: PENS keeps to the best of those tried, DAC draws the similar ones more often.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from prisam_p2p.core.layout import PeerId

Trials = dict[PeerId, tuple[float, int]]
"""Peer -> (times among the best minus the times expected by chance, times tried)."""

_ROUNDING = 1e-9

_LEAST_LOSS = 1e-6
"""A lower loss counts as this, so that a similarity is finite."""


def draw_peers(
    among: Collection[PeerId], n: int, seed: int, index: int, round_index: int
) -> tuple[PeerId, ...]:
    """Draw `n` of the peers `among` uniformly, without replacement; all where there are fewer.

    The draw depends on nothing but these arguments: the run's seed, the index of the peer that
    draws, and the round.

    Returns:
        The drawn ids, ascending.
    """
    ordered = sorted(among)
    seeds = np.random.SeedSequence(seed, spawn_key=(index, round_index))
    drawn = np.random.default_rng(seeds).permutation(len(ordered))[:n]
    return tuple(sorted(ordered[i] for i in drawn))


def lowest(losses: Mapping[PeerId, float], n: int) -> tuple[PeerId, ...]:
    """Return the `n` peers of the lowest loss, in ascending order of id; ties to the lower id."""
    return tuple(sorted(sorted(losses, key=lambda peer: (losses[peer], peer))[:n]))


def add_trial(trials: Trials, tried: Collection[PeerId], best: Collection[PeerId]) -> Trials:
    """Return `trials` plus a round in which `best`, a subset of `tried`, had the lowest losses."""
    expected = len(best) / max(1, len(tried))
    before = {peer: trials.get(peer, (0.0, 0)) for peer in tried}
    return trials | {
        peer: (total + (peer in best) - expected, times + 1)
        for peer, (total, times) in before.items()
    }


def favorites(trials: Trials) -> tuple[PeerId, ...]:
    """Return the peers that were among the best more often than expected by chance, ascending.

    Source: Onoszko et al. 2021, PENS, the choice between its two phases.
    """
    return tuple(sorted(peer for peer, (total, _) in trials.items() if total > _ROUNDING))


def note_losses(trials: Trials, losses: Mapping[PeerId, float]) -> Trials:
    """Return `trials` with the similarities 1 / loss, in place of earlier ones of these peers.

    A loss that is no number is a similarity of 0.

    Source: Listo Zec et al. 2022, DAC.
    """
    found = {
        peer: 1 / max(loss, _LEAST_LOSS) if math.isfinite(loss) else 0.0
        for peer, loss in losses.items()
    }
    return trials | {peer: (s, trials.get(peer, (0.0, 0))[1] + 1) for peer, s in found.items()}


def similarities(trials: Trials, among: Collection[PeerId]) -> dict[PeerId, float]:
    """Return peer -> its similarity; one that was never tried has that of the most similar one.

    Otherwise a peer would hardly ever try those that it does not know.
    """
    known = {peer: trials[peer][0] for peer in among if peer in trials}
    return dict.fromkeys(sorted(among), max(known.values(), default=0.0)) | known


def draw_by_similarity(
    similarity: Mapping[PeerId, float],
    n: int,
    temperature: float,
    seed: int,
    index: int,
    round_index: int,
) -> tuple[PeerId, ...]:
    """Draw `n` peers one after another, each by softmax(temperature x similarity) of those left.

    The peers with the `n` highest sums of temperature x similarity and Gumbel noise are such a
    draw (Kool et al. 2019, ICML), and no exponential can overflow.

    Returns:
        The drawn ids, ascending; all where there are fewer.

    Source: Listo Zec et al. 2022, "Decentralized adaptive clustering of deep nets is beneficial
        for client collaboration" (DAC), FL-IJCAI workshop, arXiv 2206.08839.
    """
    ordered = sorted(similarity)
    seeds = np.random.SeedSequence(seed, spawn_key=(index, round_index))
    noise = np.random.default_rng(seeds).gumbel(size=len(ordered))
    keys = {p: temperature * similarity[p] + g for p, g in zip(ordered, noise, strict=True)}
    return tuple(sorted(sorted(ordered, key=lambda peer: -keys[peer])[:n]))
