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
"""Share of the kept weights that is exchanged in round 0, before annealing ("anneal factor")."""


def erk_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Return the share of each tensor that is kept, `density` of all entries together.

    Proportional to (sum of the shape) / (its product), so small tensors stay denser; where that
    exceeds 1 a tensor stays whole and the others make up for it.
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
    """Return the mask that every peer begins with: of each tensor a random share by ERK.

    A tensor keeps floor(its density times its size), never less than 1.
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
    """Return the share of the kept weights to exchange: annealed by a cosine, 0 at the end."""
    return FIRST_DROP / 2 * (1 + math.cos(math.pi * round_index / rounds))


def drop_and_regrow(layout: EntryLayout, weights: Weights, gradients: State, rate: float) -> Mask:
    """Return the next mask: in each tensor the smallest kept weights go, as many come.

    ceil(rate * kept) entries of the smallest |weight| are dropped; then as many of the largest
    |gradient| among all that are not kept, the just dropped included, come (back). So every
    tensor keeps its number of entries. Ties go to the lower index.

    Args:
        weights: entries, trained under their mask.
        gradients: of the loss, by tensor, dense.
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
