"""The partition of data: which images each peer trains on, validates on and is tested on.

Pure: NumPy in, NumPy out; all randomness comes from the generator that is passed in.

A *mix* is a distribution over classes: one for each group (cluster splits), for each peer, or for
all peers (iid). A peer's number of images per class follows from its mix. The images of a class
are shuffled once and given to one peer after the other, so that no two peers have the same image
as long as the class lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.split_counts import Counts, apportioned, training_counts
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
        train: indices into the training pool, shape (n,); disjoint from `validation`.
        validation: indices into the training pool, too.
        test: indices into the test pool; its class mix is about that of the other two together.
        group: the peer's data group, from 0; None if the split has no groups.
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
    """Partition the images among peers.

    Groups are blocks of consecutive peers in ascending order of the ids, as equal in size as
    possible. A fifth of a peer's `images_per_peer` (at least one) is for validation, in the same
    mix as the rest. Its test images are drawn without replacement, in the class proportions of
    its other images; a class with too few test images gives all it has, and no other class makes
    up for it. Two peers may have the same test image. They have the same training image only if
    all images of its class have been given out (`split_table.shared_images` counts these); even
    then no peer trains on what another validates on, unless there are too few images for that.

    Args:
        peer_ids: distinct, at least one.
        train_labels, test_labels: labels of the two pools, in 0 .. n_classes - 1.

    Returns:
        Peer id -> its images, in ascending order of the ids.

    Raises:
        ConfigError: more groups than peers, more classes per group than there are, a peer needs
            more images of a class than exist, or a peer has no test images.
        ValueError: two peer ids are equal, or there is none.

    Source: the cluster splits are those of PRISAM's evaluation (Dirichlet(alpha) or n classes
        between groups, IID inside a group); `dirichlet` and `pathological` give each peer a mix
        of its own.
    """
    peers = sorted(peer_ids)
    if not peers or len(set(peers)) != len(peers):
        raise ValueError("peer ids must be distinct, and at least one is needed")
    check_request(request, len(peers), n_classes)
    pool_sizes = np.bincount(train_labels, minlength=n_classes)
    owner = mix_of_peers(request, len(peers))
    mixes = draw_mixes(request, int(owner[-1]) + 1, pool_sizes, rng)
    counts = training_counts(request.images_per_peer, mixes[owner], pool_sizes, rng)
    classes = [
        ClassImages(rng.permutation(np.flatnonzero(train_labels == c))) for c in range(n_classes)
    ]
    test_pools = [np.flatnonzero(test_labels == c) for c in range(n_classes)]
    split: dict[str, PeerData] = {}
    for i, peer in enumerate(peers):
        train, validation = take_images(classes, counts[i], rng)
        test = draw_test(test_pools, counts[i], request.test_images_per_peer, rng)
        group = int(owner[i]) if request.kind in CLUSTER_SPLITS else None
        split[peer] = PeerData(train, validation, test, group)
    return split


def take_images(
    classes: Sequence[ClassImages], counts: Counts, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Take a peer's training and validation images, `counts` of each class together.

    Returns:
        Those for training, and those for validation: a fifth, at least one; both ascending.
    """
    n_images = int(counts.sum())
    held_out = apportioned(max(1, round(n_images / 5)), counts, rng)
    taken = [
        classes[c].take(int(held_out[c]), int(counts[c] - held_out[c]))
        for c in np.flatnonzero(counts).tolist()
    ]
    validation, train = (np.sort(np.concatenate(parts)) for parts in zip(*taken, strict=True))
    return train, validation


def draw_test(
    pools: Sequence[Indices], counts: Counts, at_most: int, rng: np.random.Generator
) -> Indices:
    """Draw a peer's test images in the class proportions of its other images, ascending.

    Args:
        pools: of each class, the test images that exist.
        counts: images of each class that the peer has, shape (n_classes,).

    Raises:
        ConfigError: there are no test images of its classes.
    """
    wanted = apportioned(at_most, counts, rng)
    numbers = [min(int(n), len(pool)) for n, pool in zip(wanted, pools, strict=True)]
    if not any(numbers):
        classes = ", ".join(map(str, np.flatnonzero(counts).tolist()))
        right = f"a dataset with test images of the classes that a peer trains on ({classes})"
        raise ConfigError("--dataset", "", "no test images", right)
    drawn = [rng.choice(pool, n, replace=False) for pool, n in zip(pools, numbers, strict=True)]
    return np.sort(np.concatenate(drawn))


class ClassImages:
    """The shuffled images of one class, given to one peer after the other.

    When all have been given out, it starts over, and each image keeps its purpose (training or
    validation). Otherwise a peer would train on images that another peer of its group validates
    on, and averaging with that group would look better than it is.

    Args:
        images: distinct indices, shape (n,), in the order to give them out.
        validated, trained: those that were given out before, for validation and for training.
    """

    def __init__(
        self,
        images: Indices,
        validated: Indices | Sequence[int] = (),
        trained: Indices | Sequence[int] = (),
    ) -> None:
        self._unused: list[int] = images.tolist()
        self._validated: list[int] = [int(i) for i in validated]
        self._trained: list[int] = [int(i) for i in trained]

    def take(self, n_validation: int, n_train: int) -> tuple[Indices, Indices]:
        """Return images for validation and for training, all distinct.

        Their numbers are those asked for, unless the class has fewer images than both together.
        """
        n = n_validation + n_train
        unused, self._unused = self._unused[:n], self._unused[n:]
        validation, train = unused[:n_validation], unused[n_validation:]
        _reuse(self._validated, validation, n_validation)
        _reuse(self._trained, train, n_train)
        if len(validation) + len(train) < n:  # too few images for one purpose each
            taken = {*validation, *train}
            others = (i for i in self._trained + self._validated if i not in taken)
            validation += islice(others, n_validation - len(validation))
            train += islice(others, n_train - len(train))
        return np.array(validation, np.int64), np.array(train, np.int64)


def _reuse(used: list[int], taken: list[int], wanted: int) -> None:
    """Fill `taken` up to `wanted` with the images used longest ago; move all of them to the end."""
    again = used[: wanted - len(taken)]
    used[:] = used[len(again) :] + taken + again
    taken += again
