"""Did the peers find the groups that the data were split into?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from statistics import fmean

from prisam_p2p.report.run_folder import RunFolder

Labels = Mapping[str, int]
"""Peer -> number of its cluster, of all that a peer clustered."""


def ari_by_round(run: RunFolder) -> dict[int, float]:
    """Return round -> adjusted Rand index of the peers' clusterings against the data groups.

    These are the data groups of that round: they follow data that change. Each peer clusters what
    it heard, itself included; the index is the mean over the peers.
    Rounds without a clustering (top-m has none), and splits without groups, have none.
    """
    clusterings: dict[int, list[Labels]] = {}
    for peer in run.peers:
        for line in run.records(peer, "grouped"):
            clusterings.setdefault(line["round"], []).append(line["labels"])
    indices = {
        t: mean_rand_index(run.data_groups.groups_at(t), found)
        for t, found in sorted(clusterings.items())
    }
    return {t: index for t, index in indices.items() if index is not None}


def mean_rand_index(truth: Mapping[str, int | None], clusterings: Iterable[Labels]) -> float | None:
    """Return the mean adjusted Rand index of one round's clusterings, by peer ascending.

    Args:
        truth: peer -> group of its data in that round; peers that it lacks are not judged.

    Returns:
        None if the data have no groups, or nobody clustered others than itself.
    """
    judged = [labels for labels in clusterings if len(labels) > 1]  # alone, any clustering is right
    if None in truth.values() or not judged:
        return None
    return fmean(
        _rand_index(tuple(truth[p] for p in heard), tuple(labels[p] for p in heard))
        for labels in judged
        for heard in [sorted(labels.keys() & truth.keys())]
    )


@lru_cache(maxsize=100_000)  # most peers have heard the same, and see the same groups
def _rand_index(groups: tuple[int | None, ...], labels: tuple[int, ...]) -> float:
    """Return the adjusted Rand index, to the bit as scikit-learn's, which takes a second to import.

    Of ordered pairs of peers, the two clusterings put `both` together, only one of them, or none.
    Source: Hubert and Arabie 1985, "Comparing partitions".
    """
    n = len(groups)
    both = _pairs(zip(groups, labels, strict=True)) - n
    of_groups, of_labels = _pairs(groups) - n - both, _pairs(labels) - n - both
    none = n * n - n - both - of_groups - of_labels
    if of_groups == of_labels == 0:
        return 1.0
    expected = (both + of_groups) * (of_groups + none) + (both + of_labels) * (of_labels + none)
    return 2.0 * (both * none - of_groups * of_labels) / expected


def _pairs(labels: Iterable[object]) -> int:
    """Return the number of ordered pairs with the same label, of each with itself, too."""
    return sum(n * n for n in Counter(labels).values())


def chosen_in_group(run: RunFolder) -> float | None:
    """Return, over all rounds, the share of chosen peers that are of the chooser's data group.

    It is that of the round in which they were chosen.
    """
    chosen = []
    for t, choices in _choices(run).items():
        truth = run.data_groups.groups_at(t)
        if None in truth.values():
            return None
        chosen += [truth.get(peer) == truth.get(other) for peer, other in choices]
    return fmean(chosen) if chosen else None


def _choices(run: RunFolder) -> dict[int, list[tuple[str, str]]]:
    """Return round -> (peer, another that it chose)."""
    found: dict[int, list[tuple[str, str]]] = {}
    for peer in run.peers:
        for line in run.records(peer, "grouped"):
            others = [(peer, other) for other in line["group"] if other != peer]
            found.setdefault(line["round"], []).extend(others)
    return found
