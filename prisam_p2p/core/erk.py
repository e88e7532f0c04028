"""Dynamic sparse masks of Dis-PFL: ERK densities, magnitude drop, gradient regrowth.

Source: Dai et al. 2022, "DisPFL: Towards Communication-Efficient Personalized Federated Learning
via Decentralized Sparse Training", ICML; ERK is of Evci et al. 2020, "Rigging the Lottery", ICML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.layout import Mask, State, Weights, widen

FIRST_DROP = 0.5
"""Share of the kept weights that is dropped and regrown in round 0 ("anneal factor")."""


def erk_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Return the density of each tensor, such that `density` of all entries are kept.

    A tensor's density is proportional to (sum of its shape) / (product of its shape), so small
    tensors stay denser. Where that exceeds 1, the tensor is kept whole and the others get less.

    Args:
        shapes: tensor name -> dense shape.
        density: share of all entries to keep, in (0, 1].

    Returns:
        Tensor name -> share of its entries to keep, in [0, 1].
    """
    n = {name: math.prod(shape) for name, shape in shapes.items()}
    raw = {name: sum(shape) / n[name] for name, shape in shapes.items()}
    whole: set[str] = set()
    while len(whole) < len(n):
        others = [name for name in n if name not in whole]
        left = density * sum(n.values()) - sum(n[name] for name in whole)
        scale = max(0.0, left) / sum(raw[name] * n[name] for name in others)
        densest = max(raw[name] for name in others)
        if scale * densest <= 1:
            return {name: 1.0 if name in whole else scale * raw[name] for name in n}
        whole |= {name for name in others if raw[name] == densest}
    return dict.fromkeys(n, 1.0)


def erk_mask(layout: EntryLayout, density: float, seed: int) -> Mask:
    """Return the initial mask, common to all peers: random entries of each tensor, by ERK density.

    A tensor keeps floor(its density * its size) entries, at least 1.

    Args:
        density: share of all entries to keep, in (0, 1].
        seed: the run's; the mask depends on nothing else that is random.

    Returns:
        Shape (layout.n_bits,).
    """
    densities = erk_densities({t.name: t.shape for t, _ in layout.governed()}, density)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xE2C,)))
    mask = np.zeros(layout.n_bits, np.bool_)
    for tensor, span in layout.governed():
        size = span.stop - span.start
        n_kept = max(1, math.floor(round(densities[tensor.name] * size, 9)))
        mask[span.start + rng.permutation(size)[:n_kept]] = True
    return mask


def drop_rate(round_index: int, rounds: int) -> float:
    """Return the share of the kept weights to drop and regrow: cosine-annealed, 0 at `rounds`."""
    return FIRST_DROP / 2 * (1 + math.cos(math.pi * round_index / rounds))


def drop_and_regrow(layout: EntryLayout, weights: Weights, gradients: State, rate: float) -> Mask:
    """Return the next mask: drop the smallest weights of each tensor and regrow as many entries.

    In each tensor, the ceil(rate * kept) entries of the smallest `|weight|` are dropped. Then as
    many entries of the largest `|gradient|` are regrown, out of all that are not kept, those just
    dropped included. So a tensor keeps its number of entries. Ties go to the lower index.

    Args:
        weights: entries, trained under their mask.
        gradients: of the loss; tensor name -> dense gradient, of any shape of the tensor's size.
        rate: share of the kept entries to drop, in [0, 1].

    Returns:
        Shape (layout.n_bits,).
    """
    mask, full = weights.mask.copy(), widen(layout, weights).tensors
    for tensor, span in layout.governed():
        kept = mask[span]  # a view
        n_moved = math.ceil(round(rate * int(kept.sum()), 9))
        size = np.where(kept, np.abs(full[tensor.name].reshape(-1)), np.inf)
        kept[np.argsort(size, kind="stable")[:n_moved]] = False
        pull = np.where(kept, -np.inf, np.abs(gradients[tensor.name].reshape(-1)))
        kept[np.argsort(-pull, kind="stable")[:n_moved]] = True
    return mask
