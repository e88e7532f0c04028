"""Which peers to average with, where no mask says so: drawn, or ranked by trial (PENS)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from prisam_p2p.core.similarity import PeerId

Trials = dict[PeerId, tuple[float, int]]
"""Peer -> (times it was among the best less the times expected of chance, times tried)."""

_ROUNDING = 1e-9


def draw_peers(
    among: Collection[PeerId], n: int, seed: int, index: int, round_index: int
) -> tuple[PeerId, ...]:
    """Return `n` of `among` (all, where there are fewer), uniformly drawn, ascending.

    The draw follows from the run's seed, the drawing peer's index and the round alone.
    """
    ordered = sorted(among)
    seeds = np.random.SeedSequence(seed, spawn_key=(index, round_index))
    drawn = np.random.default_rng(seeds).permutation(len(ordered))[:n]
    return tuple(sorted(ordered[i] for i in drawn))


def lowest(losses: Mapping[PeerId, float], n: int) -> tuple[PeerId, ...]:
    """Return the `n` peers of the lowest loss, ascending by id; ties go to the lower id."""
    return tuple(sorted(sorted(losses, key=lambda peer: (losses[peer], peer))[:n]))


def add_trial(trials: Trials, tried: Collection[PeerId], best: Collection[PeerId]) -> Trials:
    """Return `trials` with a round in which `best` were found best of `tried`."""
    expected = len(best) / max(1, len(tried))
    before = {peer: trials.get(peer, (0.0, 0)) for peer in tried}
    return trials | {
        peer: (total + (peer in best) - expected, times + 1)
        for peer, (total, times) in before.items()
    }


def favorites(trials: Trials) -> tuple[PeerId, ...]:
    """Return the peers that were among the best more often than chance would have it, ascending.

    Source: Onoszko et al. 2021, PENS, the choice between its two phases.
    """
    return tuple(sorted(peer for peer, (total, _) in trials.items() if total > _ROUNDING))
