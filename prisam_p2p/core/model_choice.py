"""Which of k models a peer trains: announced in k bits, chosen by the loss on own data (IFCA)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from prisam_p2p.core.bits import PackedMask


def announced(choice: int, k: int) -> PackedMask:
    """Return what a peer announces: k bits, of which the one at `choice` is set.

    Raises:
        ValueError: there is no such model.
    """
    if not 0 <= choice < k:
        raise ValueError(f"model {choice} of {k}")
    return PackedMask.pack(np.arange(k) == choice)


def choice_of(mask: PackedMask) -> int | None:
    """Return the model that a mask names; None if it names none, or several."""
    named = np.flatnonzero(mask.unpack())
    return int(named[0]) if len(named) == 1 else None


def best_fit(losses: Mapping[int, float]) -> int:
    """Return the model of the lowest loss; ties go to the lower number, and NaN is the worst.

    Source: Ghosh et al. 2020, "An Efficient Framework for Clustered Federated Learning" (IFCA),
        NeurIPS, Algorithm 1, line 6.
    """
    return min(losses, key=lambda n: (math.isnan(losses[n]), losses[n], n))
