"""Choose peers to average with without masks: at random, or by the loss of their models (PENS)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from prisam_p2p.core.layout import PeerId

Trials = dict[PeerId, tuple[float, int]]
"""Peer -> (times among the best minus the times expected by chance, times tried)."""

_ROUNDING = 1e-9


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
