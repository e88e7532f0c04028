"""Metropolis mixing weights, computed from degrees alone, and the average by them (D-PSGD)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.layout import Array, Layout, PeerId, TensorLayout, Weights


def metropolis_weights(
    me: PeerId, degree: int, neighbors: Mapping[PeerId, int]
) -> dict[PeerId, float]:
    """Return the mixing weights of `me` and its neighbors; they sum to 1.

    w_ij = 1 / (1 + max(degree_i, degree_j)), and the remainder goes to `me`. Over the whole
    network the matrix is symmetric and doubly stochastic.

    Args:
        degree: of `me` in the network, missing neighbors included.
        neighbors: neighbor -> its degree, without those missing in this round; their weight
            goes to `me`.

    Returns:
        Peer -> weight in [0, 1], `me` last.

    Source: Xiao, Boyd and Lall 2007, "Distributed average consensus with least-mean-square
        deviation"; as the mixing matrix of D-PSGD, Lian et al. 2017, NeurIPS.
    """
    shares = {peer: 1 / (1 + max(degree, other)) for peer, other in sorted(neighbors.items())}
    return {**shares, me: 1 - sum(shares.values())}


def mix(
    layout: Layout, members: Mapping[PeerId, Weights], shares: Mapping[PeerId, float]
) -> Weights:
    """Return the weighted average of dense networks; counters take the maximum.

    Args:
        members: peer -> dense weights (mask all ones). They are summed in float32 in ascending
            order of the ids, so the mapping's order does not change a bit of the result.
        shares: peer -> mixing weight, for every member.

    Raises:
        ValueError: a member is pruned.
    """
    if not all(weights.mask.all() for weights in members.values()):
        raise ValueError("cannot mix: a member is pruned")
    ordered = [(members[peer], np.float32(shares[peer])) for peer in sorted(members)]
    return Weights(layout.full_mask(), {t.name: _mixed(t, ordered) for t in layout.tensors})


def _mixed(tensor: TensorLayout, members: list[tuple[Weights, np.float32]]) -> Array:
    if tensor.dtype.kind == "i":
        return np.asarray(np.maximum.reduce([w.tensors[tensor.name] for w, _ in members]))
    total = np.zeros(tensor.shape, np.float32)
    for weights, share in members:
        total += share * np.asarray(weights.tensors[tensor.name], np.float32)
    return total
