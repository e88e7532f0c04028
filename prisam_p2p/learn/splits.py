"""How images are dealt to peers: which peer trains on, validates on and is tested on what.

Pure: NumPy in, NumPy out; every draw comes from the generator that is handed in.

A *mix* is a distribution over classes, one for each group (cluster splits), each peer, or all
peers (iid). A peer's counts per class follow its mix; its images come off one shuffled deck per
class (split_decks.py), peer after peer, so that no two peers hold the same image while it lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.split_counts import Counts, apportioned, training_counts
from prisam_p2p.learn.split_decks import Deck
from prisam_p2p.learn.split_mixes import (
    CLUSTER_SPLITS,
    SplitRequest,
    check_request,
    draw_mixes,
    mix_of_peers,
)

__all__ = ["PeerData", "SplitRequest", "draw_split"]

Indices = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PeerData:
    """The images of one peer, as ascending indices without repeats.

    Attributes:
        train: into the training pool, shape (n,); disjoint from `validation`.
        validation: into the training pool too.
        test: into the test pool; about the same class mix as the other two together.
        group: number of the peer's group in the data, from 0; None where the split has none.
    """

    train: Indices
    validation: Indices
    test: Indices
    group: int | None


def draw_split(
    request: SplitRequest,
    peer_ids: Sequence[str],
    train_labels: Labels,
    test_labels: Labels,
    n_classes: int,
    rng: np.random.Generator,
) -> dict[str, PeerData]:
    """Deal images to peers; peer id -> its images, in ascending order of the ids.

    Groups are blocks of consecutive peers in that order, of as equal size as possible. A fifth
    of `images_per_peer` (at least one) is held for validation, spread over the classes like the
    rest. Each peer's test images are drawn without replacement, by the class counts of its other
    images; a class with too few test images gives all that it has and no other replaces it.
    Two peers may have the same test image. They have the same training image only where a class
    has been dealt out and its deck started over (`split_table.shared_images` counts these); even
    then no peer trains on what another one validates on, unless images are too few for that.

    Args:
        peer_ids: different from each other, at least one.
        train_labels: classes of the training pool, in 0 .. n_classes - 1; test_labels likewise.

    Raises:
        ConfigError: more groups than peers, more classes per group than there are, or a peer
            that needs more images of a class than exist.

    Source: the cluster splits are those of PRISAM's evaluation (Dirichlet(alpha) or n classes
        between groups, IID inside a group); `dirichlet` and `pathological` give each peer a mix
        of its own.
    """
    peers = sorted(peer_ids)
    if not peers or len(set(peers)) != len(peers):
        raise ValueError("peer ids must be different, and at least one")
    check_request(request, len(peers), n_classes)
    pool_sizes = np.bincount(train_labels, minlength=n_classes)
    owner = mix_of_peers(request, len(peers))
    mixes = draw_mixes(request, int(owner[-1]) + 1, pool_sizes, rng)
    counts = training_counts(request.images_per_peer, mixes[owner], pool_sizes, rng)
    decks = [Deck(rng.permutation(np.flatnonzero(train_labels == c))) for c in range(n_classes)]
    test_pools = [np.flatnonzero(test_labels == c) for c in range(n_classes)]
    split: dict[str, PeerData] = {}
    for i, peer in enumerate(peers):
        train, validation = _take(decks, counts[i], rng)
        test = _draw_test(test_pools, counts[i], request.test_images_per_peer, rng)
        group = int(owner[i]) if request.kind in CLUSTER_SPLITS else None
        split[peer] = PeerData(train, validation, test, group)
    return split


def _take(
    decks: Sequence[Deck], counts: Counts, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Take a peer's images off the decks."""
    n_images = int(counts.sum())
    held = apportioned(max(1, round(n_images / 5)), counts, rng)
    classes = np.flatnonzero(counts).tolist()
    hands = [decks[c].deal(int(held[c]), int(counts[c] - held[c])) for c in classes]
    validation, train = (np.sort(np.concatenate(cards)) for cards in zip(*hands, strict=True))
    return train, validation


def _draw_test(
    pools: Sequence[Indices], counts: Counts, at_most: int, rng: np.random.Generator
) -> Indices:
    wanted = apportioned(at_most, counts, rng)
    numbers = [min(int(n), len(pool)) for n, pool in zip(wanted, pools, strict=True)]
    if not any(numbers):
        classes = ", ".join(map(str, np.flatnonzero(counts).tolist()))
        right = f"a dataset with test images of the classes that a peer trains on ({classes})"
        raise ConfigError("--dataset", "", "no test images", right)
    drawn = [rng.choice(pool, n, replace=False) for pool, n in zip(pools, numbers, strict=True)]
    return np.sort(np.concatenate(drawn))
