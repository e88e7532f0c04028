"""What the announced masks of a round tell of the groups in the data. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.layout import Mask
from prisam_p2p.core.similarity import compact, hamming

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Announced:
    """The announced masks of one round.

    Attributes:
        groups: of the peer in the data.
    """

    masks: Mapping[str, Mask]
    groups: Mapping[str, int]

    @property
    def peers(self) -> list[str]:
        """By their groups, then by their ids."""
        return sorted(self.masks, key=lambda peer: (self.groups[peer], peer))


def similarity(announced: Announced) -> Matrix:
    """Return the share of equal bits of each two masks, shape (peers, peers), in `peers` order."""
    rows = np.stack([announced.masks[peer] for peer in announced.peers])
    return np.asarray(1.0 - hamming(rows) / rows.shape[1])


def pair_auc(announced: Announced) -> float | None:
    """Return how well the similarity of masks tells pairs of one group from pairs of two.

    The probability that a pair of peers of one group has more equal bits than a pair of two groups;
    ties count a half. 0.5: the masks say nothing. None: there are no two kinds of pairs.
    """
    peers = announced.peers
    upper = np.triu_indices(len(peers), k=1)
    groups = np.array([announced.groups[peer] for peer in peers])
    same = (groups[:, None] == groups[None, :])[upper]
    if same.all() or not same.any():
        return None
    from sklearn.metrics import roc_auc_score  # here: it takes a second to import

    return float(roc_auc_score(same, similarity(announced)[upper]))


def principal_components(announced: Announced) -> tuple[Matrix, Matrix]:
    """Return the compact masks' first two principal components, and their shares of the variance.

    Shapes (peers, 2), in `peers` order, and (2,). Zeros where the masks have fewer dimensions.
    """
    _, rows = compact({f"{i:06d}": announced.masks[p] for i, p in enumerate(announced.peers)})
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points, shares = np.zeros((len(rows), 2)), np.zeros(2)
    kept = min(2, len(s))
    points[:, :kept] = u[:, :kept] * s[:kept]
    total = float((s**2).sum())
    if total > 0:
        shares[:kept] = s[:kept] ** 2 / total
    return points, shares
