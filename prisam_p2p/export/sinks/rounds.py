"""Points by round, for trackers that take all numbers of a step at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from prisam_p2p.export.points import ExportPoint


def by_round(points: Sequence[ExportPoint]) -> Iterator[tuple[int, float, dict[str, float]]]:
    """Yield round, the last time in it, and tag -> value, by round.

    Args:
        points: by round.
    """
    for at, group in groupby(points, attrgetter("round")):
        own = list(group)
        yield at, max(each.t_s for each in own), {each.tag: each.value for each in own}
