"""Mixing weights that a peer can compute from its neighbors' degrees, and the average by them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.layout import Array, Layout, TensorLayout, Weights
from prisam_p2p.core.similarity import PeerId


def metropolis_weights(
    me: PeerId, degree: int, neighbors: Mapping[PeerId, int]
) -> dict[PeerId, float]:
    """Return the share of each of `neighbors`, and of `me`, in my average; they sum to 1.

    w_ij = 1 / (1 + max(degree_i, degree_j)); what is left is my own. Over the whole network the
    matrix is symmetric and doubly stochastic. A neighbor that is missing in a round is left
    out of `neighbors`, and its share stays with me.

    Args:
        degree: of `me` in the network, missing neighbors included.
        neighbors: neighbor -> its degree.

    Source: Xiao, Boyd and Lall 2007, "Distributed average consensus with least-mean-square
        deviation"; as the mixing matrix of D-PSGD, Lian et al. 2017, NeurIPS.
    """
    shares = {peer: 1 / (1 + max(degree, other)) for peer, other in sorted(neighbors.items())}
    return {**shares, me: 1 - sum(shares.values())}


def mix(
    layout: Layout, members: Mapping[PeerId, Weights], shares: Mapping[PeerId, float]
) -> Weights:
    """Return the average of whole `members` by their `shares`; counters take the maximum.

    Summed by ascending peer id in float32: the members' order does not matter.

    Raises:
        ValueError: a member is not whole.
    """
    if not all(weights.mask.all() for weights in members.values()):
        raise ValueError("a pruned network among whole ones")
    ordered = [(members[peer], np.float32(shares[peer])) for peer in sorted(members)]
    return Weights(layout.full_mask(), {t.name: _mixed(t, ordered) for t in layout.tensors})


def _mixed(tensor: TensorLayout, members: list[tuple[Weights, np.float32]]) -> Array:
    if tensor.dtype.kind == "i":
        return np.asarray(np.maximum.reduce([w.tensors[tensor.name] for w, _ in members]))
    total = np.zeros(tensor.shape, np.float32)
    for weights, share in members:
        total += share * np.asarray(weights.tensors[tensor.name], np.float32)
    return total
