"""Group peers by mask distance, a proxy for how different their data are.

Each peer does so by itself, from the masks it has heard (PRISAM, Algorithm 1, steps 2 and 3).
Peers that heard the same masks find the same groups without a central server: ids are sorted, and
the clustering is seeded by (run seed, round) alone (PRISAM, section IV-B).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import PeerId

Labels = dict[PeerId, int]
Affinity = dict[PeerId, tuple[float, int]]
"""Peer -> (sum of mask similarities, rounds heard)."""


@dataclass(frozen=True)
class Groups:
    """A clustering of peers.

    Attributes:
        labels: peer -> number of its group. Groups are numbered from 0 by their lowest peer id,
            so equal clusterings are equal values.
    """

    labels: Labels

    def of(self, peer: PeerId) -> tuple[PeerId, ...]:
        """Return the members of `peer`'s group, including `peer`, ascending.

        Raises:
            KeyError: `peer` is not in the clustering.
        """
        label = self.labels[peer]
        return tuple(sorted(p for p, other in self.labels.items() if other == label))


def compact(
    masks: Mapping[PeerId, PackedMask],
) -> tuple[tuple[PeerId, ...], npt.NDArray[np.bool_]]:
    """Drop every bit in which all masks agree (Algorithm 1, step 2).

    Returns:
        The peers in ascending order, and their compact masks, shape (peers, bits left).
        Identical masks leave no bit.

    Raises:
        ValueError: there are no masks, or their lengths differ.
    """
    if not masks:
        raise ValueError("no masks")
    peers = tuple(sorted(masks))
    if len({masks[peer].n_bits for peer in peers}) > 1:
        raise ValueError("masks of different lengths")
    rows = np.stack([masks[peer].unpack() for peer in peers])
    return peers, rows[:, rows.any(axis=0) & ~rows.all(axis=0)]


def hamming(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the pairwise Hamming distances.

    Args:
        rows: masks, shape (peers, bits).

    Returns:
        Shape (peers, peers), symmetric, zero diagonal; exact below 2**24 bits.
    """
    signs = rows.astype(np.float32) * 2 - 1
    agreeing_minus_differing = np.rint(signs @ signs.T).astype(np.int64)
    return np.asarray((rows.shape[1] - agreeing_minus_differing) // 2, np.int64)


def distances(own: bytes, others: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Return the Hamming distance of each of `others` from `own`, shape (len(others),).

    Args:
        own, others: packed masks (core/bits.py) of one length, as they arrive on the wire.
    """
    rows = np.frombuffer(b"".join(others), np.uint8).reshape(len(others), len(own))
    differing = np.bitwise_count(rows ^ np.frombuffer(own, np.uint8))
    return np.asarray(differing.sum(axis=1, dtype=np.int64))


def kmeans(masks: Mapping[PeerId, PackedMask], k: int, seed: int, round_index: int) -> Groups:
    """Cluster masks into at most `k` groups by K-means++ with 10 starts, on their compact bits.

    On bits, the squared Euclidean distance of K-means is the Hamming distance. If there are at
    most `k` distinct masks, each of them is a group.

    Args:
        masks: peer -> mask, all of one length.
        k: upper bound of the number of groups, >= 1.
        seed: the run's; with `round_index` it seeds the clustering.

    Raises:
        ValueError: there are no masks, or their lengths differ.
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
    """Cluster `points`, shape (peers, dimensions), as `kmeans` clusters masks.

    Args:
        peers: ids, ascending; row i of `points` belongs to peers[i].
    """
    distinct, which = np.unique(points, axis=0, return_inverse=True)
    if len(distinct) <= k:  # one group per distinct point is the optimum: its inertia is 0
        return numbered(peers, which.ravel().tolist())  # a column in NumPy 2.0

    from sklearn.cluster import KMeans  # late: the import takes 1.7 s, and not every run needs it

    random_state = int(np.random.SeedSequence([seed, round_index]).generate_state(1)[0])
    model = KMeans(k, n_init=10, random_state=random_state)
    return numbered(peers, model.fit_predict(points).tolist())


def dbscan(masks: Mapping[PeerId, PackedMask], eps: float) -> Groups:
    """Cluster masks by DBSCAN on the Hamming distance of their compact bits, min_samples = 2.

    A peer that DBSCAN labels as noise becomes a group of its own.

    Args:
        masks: peer -> mask, all of one length.
        eps: largest distance of neighbors, inclusive, as a share of the compact bits.

    Raises:
        ValueError: there are no masks, or their lengths differ.
    """
    from sklearn.cluster import DBSCAN

    peers, rows = compact(masks)
    if rows.shape[1] == 0:
        return numbered(peers, [0] * len(peers))
    model = DBSCAN(eps=eps * rows.shape[1], min_samples=2, metric="precomputed")
    labels = model.fit_predict(hamming(rows)).tolist()
    return numbered(peers, [x if x >= 0 else -1 - i for i, x in enumerate(labels)])


def add_affinity(history: Affinity, me: PeerId, masks: Mapping[PeerId, PackedMask]) -> Affinity:
    """Return `history` plus this round's similarity of `me` to each peer heard.

    Args:
        history: is not changed.
        masks: of this round; peer -> mask, that of `me` included.

    Returns:
        A new history. The similarity added is the share of bits in which two masks agree.
    """
    peers = [p for p in sorted(masks) if p != me]
    n_bits = masks[me].n_bits
    differing = distances(masks[me].bits, [masks[p].bits for p in peers])
    heard = {p: 1 - d / n_bits for p, d in zip(peers, differing.tolist(), strict=True)}
    sums = {p: history.get(p, (0.0, 0)) for p in heard}
    return history | {p: (sums[p][0] + heard[p], sums[p][1] + 1) for p in heard}


def top_m(history: Affinity, me: PeerId, heard: Collection[PeerId], m: int) -> tuple[PeerId, ...]:
    """Return `me` and the `m` most similar peers, ascending; ties go to the lower peer id.

    Args:
        history: holds every peer of `heard` but `me`. Similarity is its average over the rounds
            in which the peer was heard.
        heard: the peers to choose from, this round's.
    """

    def distance(peer: PeerId) -> tuple[float, PeerId]:
        total, rounds = history[peer]
        return -total / rounds, peer

    nearest = sorted((p for p in heard if p != me), key=distance)[:m]
    return tuple(sorted([me, *nearest]))


def numbered(peers: tuple[PeerId, ...], labels: list[int]) -> Groups:
    """Renumber labels by first appearance, so that equal partitions are equal values."""
    numbers: dict[int, int] = {}
    return Groups(
        {p: numbers.setdefault(x, len(numbers)) for p, x in zip(peers, labels, strict=True)}
    )
