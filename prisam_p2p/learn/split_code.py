"""A split of users' code: a function of the labels, the peers and a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import user_code
from prisam_p2p.learn.split_counts import apportioned
from prisam_p2p.learn.splits import Labels, PeerData, draw_test

OPTION = "--split"
FEWEST = 8
"""A peer with fewer inputs has no batch to train on beside those for validation."""


@dataclass(frozen=True, eq=False)
class Share:
    """A peer's part of the training pool, where the split has data groups.

    Attributes:
        indices: into the labels, distinct.
        group: number of the peer's data group, which results are measured against.
    """

    indices: npt.ArrayLike
    group: int


UserSplit = Callable[
    [Labels, Sequence[str], np.random.Generator], Mapping[str, npt.ArrayLike | Share]
]
"""(labels of the training pool, shape (n,); peers, ascending; generator) -> peer -> its inputs."""


def split_from_code(
    function: UserSplit,
    name: str,
    peer_ids: Sequence[str],
    train_labels: Labels,
    test_labels: Labels,
    n_classes: int,
    at_most_test: int,
    rng: np.random.Generator,
) -> dict[str, PeerData]:
    """Partition the data as users' code says.

    A fifth of what it gives a peer is held out for validation, of each class in proportion. Test
    inputs are drawn in the same proportions.

    Args:
        name: as the user named the code.
        at_most_test: upper bound on a peer's test inputs.

    Returns:
        Peer id -> its data, in ascending order of the ids.

    Raises:
        ConfigError: the code fails, leaves out a peer, or gives one wrong or too few indices; or
            some peers have a group and others have none.
    """
    peers = sorted(peer_ids)
    with user_code(OPTION, name):
        found: Any = function(train_labels.copy(), tuple(peers), rng)
    if not isinstance(found, Mapping) or set(found) != set(peers):
        right = f"code that returns a mapping with every peer ({', '.join(peers)}) and no other"
        raise ConfigError(OPTION, "", name, right)
    shares = {peer: found[peer] for peer in peers}
    if len({isinstance(share, Share) for share in shares.values()}) > 1:
        raise ConfigError(OPTION, "", name, "a Share with a group for all peers, or for none")
    test_pools = [np.flatnonzero(test_labels == c) for c in range(n_classes)]
    split = {}
    for peer, share in shares.items():
        own = _indices(share, peer, len(train_labels), name)
        counts = np.bincount(train_labels[own], minlength=n_classes)
        train, validation = _held_out(own, train_labels, counts, rng)
        test = draw_test(test_pools, counts, at_most_test, rng)
        group = int(share.group) if isinstance(share, Share) else None
        split[peer] = PeerData(train, validation, test, group)
    return split


def _indices(share: Any, peer: str, n: int, name: str) -> npt.NDArray[np.int64]:
    own = np.asarray(share.indices if isinstance(share, Share) else share)
    if own.ndim != 1 or own.dtype.kind not in "iu" or len(np.unique(own)) != len(own):
        right = f"distinct indices, integers of shape (n,); those of {peer} are not"
    elif len(own) < FEWEST:
        right = f"at least {FEWEST} indices for each peer; {peer} has {len(own)}"
    elif own.min() < 0 or own.max() >= n:
        right = f"indices from 0 to {n - 1}; {peer} has {int(own.min())} to {int(own.max())}"
    else:
        return np.sort(own.astype(np.int64))
    raise ConfigError(OPTION, "", name, right)


def _held_out(
    own: npt.NDArray[np.int64],
    labels: Labels,
    counts: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a peer's indices for training, and those for validation."""
    held_out = apportioned(max(1, round(len(own) / 5)), counts, rng)
    validation = np.sort(
        np.concatenate(
            [
                rng.choice(own[labels[own] == c], held_out[c], replace=False)
                for c in np.flatnonzero(held_out)
            ]
        )
    )
    return np.setdiff1d(own, validation), validation
