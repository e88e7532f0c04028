"""Measure how well the announced masks of a round reflect the data groups. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.grouping import compact, hamming
from prisam_p2p.core.layout import Mask

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AnnouncedMasks:
    """The announced masks of one round.

    Attributes:
        masks: peer -> mask, all of one length.
        groups: peer -> data group; -1 = none.
    """

    masks: Mapping[str, Mask]
    groups: Mapping[str, int]

    @property
    def peers(self) -> list[str]:
        """The peers that announced a mask, by group and then by id."""
        return sorted(self.masks, key=lambda peer: (self.groups[peer], peer))


def similarity(announced: AnnouncedMasks) -> Matrix:
    """Return the share of equal bits of each pair of masks, shape (peers, peers), by `peers`."""
    rows = np.stack([announced.masks[peer] for peer in announced.peers])
    return np.asarray(1.0 - hamming(rows) / rows.shape[1])


def pair_auc(announced: AnnouncedMasks) -> float | None:
    """Return how well similarity separates pairs of the same data group from other pairs.

    It is the probability that a pair of the same group has more equal bits than a pair of two
    groups, where ties count one half. At 0.5 the masks carry no information about groups.

    Returns:
        None if all pairs are of one kind.
    """
    peers = announced.peers
    upper = np.triu_indices(len(peers), k=1)
    groups = np.array([announced.groups[peer] for peer in peers])
    same = (groups[:, None] == groups[None, :])[upper]
    if same.all() or not same.any():
        return None
    from sklearn.metrics import roc_auc_score  # late: the import takes a second

    return float(roc_auc_score(same, similarity(announced)[upper]))


def principal_components(announced: AnnouncedMasks) -> tuple[Matrix, Matrix]:
    """Return the first two principal components of the compact masks.

    Returns:
        The points, shape (peers, 2), by `peers`, and the components' shares of the variance,
        shape (2,). Both are zero for a component that does not exist.
    """
    in_order = (PackedMask.pack(announced.masks[peer]) for peer in announced.peers)
    _, rows = compact({f"{i:06d}": mask for i, mask in enumerate(in_order)})
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points, shares = np.zeros((len(rows), 2)), np.zeros(2)
    kept = min(2, len(s))
    points[:, :kept] = u[:, :kept] * s[:kept]
    total = float((s**2).sum())
    if total > 0:
        shares[:kept] = s[:kept] ** 2 / total
    return points, shares
