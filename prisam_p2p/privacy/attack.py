"""Attack masks: tell from one announced mask which classes its peer's data have. Pure.

The attacker trains *shadow devices* on data of its own, from the same W0 and by the same recipe,
which every participant of a run knows, and learns to read masks from theirs. After Shokri et al.
2017, "Membership inference attacks against machine learning models", S&P, which introduced shadow
models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.core.grouping import hamming

Bits = npt.NDArray[np.bool_]
"""Shape (devices, bits), or (devices, classes): which classes a device's training images have."""

RIDGE = 10.0
"""Penalty of the regression; not tuned."""


@dataclass(frozen=True)
class Devices:
    """Announced masks of devices, and which classes their data have; a row for each."""

    masks: Bits
    classes: Bits


def class_presence_auc(shadows: Devices, victims: Devices) -> float | None:
    """Return how well an attacker that learned from `shadows` reads the masks of `victims`.

    One ridge regression for each class gives victims a score. The AUC is the probability that a
    victim that has the class scores higher than one that has not: 0.5 is guessing, 1 is certain.

    Returns:
        The mean over the classes; None if no class tells victims apart.
    """
    from sklearn.linear_model import Ridge  # late: the import takes a second
    from sklearn.metrics import roc_auc_score

    model = Ridge(alpha=RIDGE).fit(_signs(shadows.masks), shadows.classes.astype(np.float64))
    scores = np.asarray(model.predict(_signs(victims.masks))).reshape(victims.classes.shape)
    aucs = [
        roc_auc_score(has, score)
        for has, score in zip(victims.classes.T, scores.T, strict=True)
        if has.any() and not has.all()
    ]
    return float(np.mean(aucs)) if aucs else None


def similarity_correlation(devices: Devices) -> float | None:
    """Return the correlation of mask similarity and class similarity, over all pairs.

    It is Pearson's, of the share of equal mask bits and the share of classes that both or neither
    have: the signal by which masks find groups.

    Returns:
        None if all pairs are alike in one of the two.
    """
    pairs = np.triu_indices(len(devices.masks), k=1)
    masks, classes = (-hamming(rows)[pairs] for rows in (devices.masks, devices.classes))
    if masks.std() == 0 or classes.std() == 0:
        return None
    return float(np.corrcoef(masks, classes)[0, 1])


def _signs(masks: Bits) -> npt.NDArray[np.float64]:
    return masks.astype(np.float64) * 2 - 1
