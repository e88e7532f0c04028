"""Similarity of peers by the cosines of their weight deltas (the exact-similarity baseline).

Masks approximate this with a few hundred bytes; here every neighbor's weights are needed in every
round.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.grouping import Groups, kmeans_of
from prisam_p2p.core.layout import Layout, PeerId, Weights


def delta_cosines(
    layout: Layout, w0: Weights, members: Mapping[PeerId, Weights]
) -> tuple[tuple[PeerId, ...], npt.NDArray[np.float64]]:
    """Return the pairwise cosines of the peers' weight deltas W_i - W0.

    Only trainable tensors count. The delta of a weight that a peer has pruned is 0. A peer whose
    deltas are all 0 has cosine 0 to every other peer and 1 to itself.

    Args:
        w0: the common initial weights, in full coordinates.
        members: slim weights by peer id.

    Returns:
        The peers in ascending order, and the cosines, shape (peers, peers).
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
    """Cluster peers into at most `k` groups by K-means on unit vectors with these cosines.

    K-means depends on distances only, so points in `len(peers)` dimensions with the same cosines
    replace the deltas themselves. The clustering is that of core/grouping.py.

    Args:
        peers: ids, ascending.
        cosines: shape (peers, peers), symmetric.
        k: upper bound of the number of groups.
        seed: the run's; with `round_index` it seeds K-means.
    """
    values, vectors = np.linalg.eigh(cosines)
    points = vectors * np.sqrt(np.maximum(values, 0.0))
    return kmeans_of(peers, points, k, seed, round_index)
