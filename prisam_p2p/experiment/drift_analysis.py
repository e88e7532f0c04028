"""How soon the groups that peers find follow data groups that change. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from prisam_p2p.plan.data_groups import DataGroups

SAME = 1.0 - 1e-9
"""An adjusted Rand index from here on says that the groups found are the data groups."""


def drifted_peers(groups: DataGroups) -> frozenset[str]:
    """Return the peers whose data group changes during the run."""
    return frozenset(peer for peers in groups.changed.values() for peer in peers)


def rounds_to_follow(groups: DataGroups, ari: Mapping[int, float]) -> dict[int, int | None]:
    """Return how many rounds the groups found took to be the data groups again.

    Args:
        ari: round -> adjusted Rand index against the data groups of that round.

    Returns:
        Round in which data groups changed -> the rounds from this one until the first with index
        1, both counted; None where that did not come before the next change, or the run's end.
        Changes in rounds without an index after them are left out: there was nothing to follow.
    """
    changes = [*groups.changed]
    found: dict[int, int | None] = {}
    for start, end in zip_longest(changes, changes[1:]):
        window = [t for t in sorted(ari) if t >= start and (end is None or t < end)]
        if window:
            right = [t for t in window if ari[t] >= SAME]
            found[start] = right[0] - start + 1 if right else None
    return found
