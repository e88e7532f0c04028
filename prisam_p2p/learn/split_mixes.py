"""Which classes a peer's images are of: a distribution, its *mix*, by the kind of split. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.split_counts import Counts, Mixes
from prisam_p2p.settings import Split

CLUSTER_SPLITS = (Split.CLUSTER_DIRICHLET, Split.CLUSTER_PATHOLOGICAL)
PATHOLOGICAL_SPLITS = (Split.CLUSTER_PATHOLOGICAL, Split.PATHOLOGICAL)
DEALS = 100
"""So many times are classes dealt anew to find groups of which no two have the same classes."""


@dataclass(frozen=True)
class SplitRequest:
    """What to draw; the fields are the settings of the same names, `kind` is --split."""

    kind: Split
    groups: int
    classes_per_group: int
    alpha: float
    images_per_peer: int
    test_images_per_peer: int

    def __post_init__(self) -> None:
        least = (self.groups, self.classes_per_group, self.test_images_per_peer)
        if min(least) < 1 or self.images_per_peer < 2 or not self.alpha > 0:
            raise ValueError(f"no split can be drawn from {self}")


def check_request(request: SplitRequest, n_peers: int, n_classes: int) -> None:
    """Refuse what the number of peers or of classes does not allow (ConfigError)."""
    groups, classes = request.groups, request.classes_per_group
    if request.kind in CLUSTER_SPLITS and groups > n_peers:
        raise ConfigError("--groups", "", groups, f"at most {n_peers}, the number of peers")
    if request.kind in PATHOLOGICAL_SPLITS and classes > n_classes:
        right = f"at most {n_classes}, the number of classes"
        raise ConfigError("--classes-per-group", "", classes, right)


def mix_of_peers(request: SplitRequest, n_peers: int) -> npt.NDArray[np.intp]:
    """Which of the mixes each peer has, shape (n_peers,), ascending from 0."""
    if request.kind is Split.IID:
        return np.zeros(n_peers, np.intp)
    if request.kind not in CLUSTER_SPLITS:
        return np.arange(n_peers)
    sizes = [len(block) for block in np.array_split(np.arange(n_peers), request.groups)]
    return np.repeat(np.arange(request.groups), sizes)


def draw_mixes(
    request: SplitRequest, n_mixes: int, pool_sizes: Counts, rng: np.random.Generator
) -> Mixes:
    """Draw the mixes, shape (n_mixes, n_classes), rows of sum 1."""
    n_classes = len(pool_sizes)
    if request.kind is Split.IID:
        shares: Mixes = pool_sizes / pool_sizes.sum()
        return shares[None]
    if request.kind in PATHOLOGICAL_SPLITS:
        hands = _deal_classes(request, n_mixes, n_classes, rng)
        return hands.astype(np.float64) / request.classes_per_group
    return rng.dirichlet(np.full(n_classes, request.alpha), n_mixes)


def _deal_classes(
    request: SplitRequest, n_hands: int, n_classes: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Deal different classes to each hand, shape (n_hands, n_classes), True = dealt.

    The classes are a shuffled deck; when it is used up, it is shuffled anew: each class is in as
    many hands as any other, give or take one. Two *groups* with the same classes would be one
    group, so the deal is repeated, as often as `DEALS`, until no two are equal.
    """
    n_each = request.classes_per_group
    distinct = request.kind is Split.CLUSTER_PATHOLOGICAL and n_hands <= comb(n_classes, n_each)
    for _ in range(DEALS if distinct else 1):
        hands = np.zeros((n_hands, n_classes), np.bool_)
        deck: list[int] = []
        for hand in hands:
            while hand.sum() < n_each:
                deck = deck or rng.permutation(n_classes).tolist()
                card = next(c for c in deck if not hand[c])
                deck.remove(card)
                hand[card] = True
        if len(np.unique(hands, axis=0)) == n_hands:
            break
    return hands
