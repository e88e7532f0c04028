"""Which peers learned alike, by all that they learned: cosines of whole weight deltas.

What masks of a few hundred bytes stand in for. Costs every neighbor's weights, every round.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.grouping import Groups, kmeans_of
from prisam_p2p.core.layout import Layout, Weights
from prisam_p2p.core.similarity import PeerId


def delta_cosines(
    layout: Layout, w0: Weights, members: Mapping[PeerId, Weights]
) -> tuple[tuple[PeerId, ...], npt.NDArray[np.float64]]:
    """Return the peers, ascending, and the cosines of their W_i - W0, shape (peers, peers).

    Trainable tensors only. A weight that a peer lacks has not moved: its delta is 0. A peer that
    did not move at all has cosine 0 to every other, 1 to itself.

    Args:
        w0: whole, common to the peers.
    """
    peers = tuple(sorted(members))
    products = np.zeros((len(peers), len(peers)))
    for tensor in layout.tensors:
        if not tensor.trainable:
            continue
        rows = np.zeros((len(peers), *tensor.shape), np.float32)
        for row, peer in zip(rows, peers, strict=True):
            kept = tensor.at(members[peer].mask)
            row[kept] = np.asarray(members[peer].tensors[tensor.name], np.float32)
            row[kept] -= np.asarray(w0.tensors[tensor.name], np.float32)[kept]
        flat = rows.reshape(len(peers), -1).astype(np.float64)
        products += flat @ flat.T
    lengths = np.sqrt(np.diag(products))
    lengths[lengths == 0] = 1.0
    cosines = products / np.outer(lengths, lengths)
    np.fill_diagonal(cosines, 1.0)
    return peers, cosines


def kmeans_of_cosines(
    peers: tuple[PeerId, ...],
    cosines: npt.NDArray[np.float64],
    k: int,
    seed: int,
    round_index: int,
) -> Groups:
    """Cluster unit vectors with these cosines into at most `k` groups, as masks are clustered.

    K-means needs distances only: points in as many dimensions as there are peers, with the same
    cosines, stand in for the deltas themselves.
    """
    values, vectors = np.linalg.eigh(cosines)
    points = vectors * np.sqrt(np.maximum(values, 0.0))
    return kmeans_of(peers, points, k, seed, round_index)
