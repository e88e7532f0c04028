"""Which peers belong together: every peer clusters the masks it heard, by itself.

Peers that heard the same masks reach the same groups without a collector: ids are sorted and
the clustering is seeded by (run seed, round) alone (PRISAM, section IV-B, Algorithm 1 step 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import Mask
from prisam_p2p.core.similarity import PeerId, compact, distances, hamming

Labels = dict[PeerId, int]
Affinity = dict[PeerId, tuple[float, int]]
"""Peer -> (sum of mask similarities, rounds heard)."""


@dataclass(frozen=True)
class Groups:
    """A clustering of the peers that were heard, numbered by their lowest peer id."""

    labels: Labels

    def of(self, peer: PeerId) -> tuple[PeerId, ...]:
        """Return the members of `peer`'s group, itself included, ascending."""
        label = self.labels[peer]
        return tuple(sorted(p for p, other in self.labels.items() if other == label))


def kmeans(masks: Mapping[PeerId, Mask], k: int, seed: int, round_index: int) -> Groups:
    """Cluster compact masks with K-means++ into at most `k` groups; 10 starts.

    On bits, K-means' squared Euclidean distance is the Hamming distance. Up to `k` distinct masks
    are a group each.
    """
    peers, rows = compact(masks)
    return kmeans_of(peers, rows.astype(np.float64), k, seed, round_index)


def kmeans_of(
    peers: tuple[PeerId, ...],
    points: npt.NDArray[np.float64],
    k: int,
    seed: int,
    round_index: int,
) -> Groups:
    """Cluster the peers' `points`, shape (peers, dimensions), as `kmeans` does its masks."""
    distinct, which = np.unique(points, axis=0, return_inverse=True)
    if len(distinct) <= k:  # nothing to search for: this is the optimum, of inertia 0
        return _numbered(peers, which.ravel().tolist())  # numpy 2.0 has it as a column

    from sklearn.cluster import KMeans  # here: it costs 1.7 s that not every run needs

    random_state = int(np.random.SeedSequence([seed, round_index]).generate_state(1)[0])
    model = KMeans(k, n_init=10, random_state=random_state)
    return _numbered(peers, model.fit_predict(points).tolist())


def dbscan(masks: Mapping[PeerId, Mask], eps: float) -> Groups:
    """Cluster by density: `eps` is a share of the compact bits, two peers make a core.

    A peer that DBSCAN calls noise is a group of its own.
    """
    from sklearn.cluster import DBSCAN

    peers, rows = compact(masks)
    if rows.shape[1] == 0:
        return _numbered(peers, [0] * len(peers))
    model = DBSCAN(eps=eps * rows.shape[1], min_samples=2, metric="precomputed")
    labels = model.fit_predict(hamming(rows)).tolist()
    return _numbered(peers, [x if x >= 0 else -1 - i for i, x in enumerate(labels)])


def add_affinity(history: Affinity, me: PeerId, masks: Mapping[PeerId, Mask]) -> Affinity:
    """Return `history` with this round's share of agreeing bits between `me` and each peer."""
    peers = [p for p in sorted(masks) if p != me]
    n_bits = len(masks[me])
    differing = distances(pack_bits(masks[me]), [pack_bits(masks[p]) for p in peers])
    heard = {p: 1 - d / n_bits for p, d in zip(peers, differing.tolist(), strict=True)}
    sums = {p: history.get(p, (0.0, 0)) for p in heard}
    return history | {p: (sums[p][0] + heard[p], sums[p][1] + 1) for p in heard}


def top_m(
    history: Affinity, me: PeerId, heard: Mapping[PeerId, Mask], m: int
) -> tuple[PeerId, ...]:
    """Return `me` and the `m` heard peers of the highest similarity averaged over rounds.

    Ties go to the lower peer id.
    """

    def distance(peer: PeerId) -> tuple[float, PeerId]:
        total, rounds = history[peer]
        return -total / rounds, peer

    nearest = sorted((p for p in heard if p != me), key=distance)[:m]
    return tuple(sorted([me, *nearest]))


def _numbered(peers: tuple[PeerId, ...], labels: list[int]) -> Groups:
    """Renumber labels by first appearance, so equal partitions are equal values."""
    numbers: dict[int, int] = {}
    return Groups(
        {p: numbers.setdefault(x, len(numbers)) for p, x in zip(peers, labels, strict=True)}
    )
