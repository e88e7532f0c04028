"""Which data group each peer is of, in every round: the truth that groups are measured against.

Data groups follow in time: a drift gives a peer data of another group, and a peer that is not
there in a round is of none. Everything that compares with data groups asks here. Pure; it reads a
plan, or the plan.json of a run folder, which may come from anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Period:
    """A peer is of a data group from a round until another one.

    Attributes:
        first: its first round.
        end: the first round after it; None = it lasts until the end of the run.
        group: None where the split has no groups.
    """

    first: int
    group: int | None
    end: int | None = None

    def holds(self, t: int) -> bool:
        """Tell whether round `t` is in it."""
        return self.first <= t and (self.end is None or t < self.end)


class DataGroups:
    """The data groups of a run.

    Args:
        periods: peer -> its periods, which do not overlap, ascending. It is absent in between.
    """

    def __init__(self, periods: Mapping[str, Sequence[Period]]) -> None:
        self._periods = periods

    @property
    def periods(self) -> Mapping[str, Sequence[Period]]:
        """Peer -> its periods, ascending."""
        return self._periods

    @property
    def changed(self) -> dict[int, list[str]]:
        """Round -> the peers that are of another group than in the round before, ascending."""
        found: dict[int, list[str]] = {}
        for peer, periods in sorted(self._periods.items()):
            for before, after in pairwise(periods):
                if before.end == after.first and before.group != after.group:
                    found.setdefault(after.first, []).append(peer)
        return dict(sorted(found.items()))

    def groups_at(self, t: int) -> dict[str, int | None]:
        """Return peer -> its group in round `t`; peers that are absent then are left out."""
        return {
            peer: period.group
            for peer, periods in self._periods.items()
            for period in periods
            if period.holds(t)
        }

    def last_of(self, peer: str) -> int | None:
        """Return the last group that a peer is of."""
        periods = self._periods.get(peer)
        return periods[-1].group if periods else None

    def members_at(self, t: int, peer: str) -> list[str]:
        """Return the peers that are of `peer`'s group in round `t`, itself included."""
        groups = self.groups_at(t)
        return [other for other, group in groups.items() if group == groups.get(peer, object())]

    def moments(self) -> list[int]:
        """Return the rounds from which on groups may be others than before; 0 is the first."""
        found = {period.first for periods in self._periods.values() for period in periods}
        ends = {p.end for periods in self._periods.values() for p in periods if p.end is not None}
        return sorted({0} | found | ends)


def data_groups(plan: Mapping[str, Any]) -> DataGroups:
    """Return the data groups in a plan as plan.json has it (`Plan.model_dump`).

    What is missing or of a wrong type is taken for no group, and no change.
    """
    peers = plan.get("peers")
    found = peers.items() if isinstance(peers, dict) else ()
    return DataGroups(
        {str(peer): _periods(each if isinstance(each, dict) else {}) for peer, each in found}
    )


def predecessor(peer: Mapping[str, Any]) -> str | None:
    """Return whose place a peer of plan.json takes during the run; None = it is there at first."""
    arrival = peer.get("arrival")
    replaces = arrival.get("replaces") if isinstance(arrival, dict) else None
    return replaces if isinstance(replaces, str) else None


def _periods(plan: object) -> list[Period]:
    peer = plan if isinstance(plan, dict) else {}
    arrival = peer.get("arrival")
    came = _whole(arrival.get("round")) if isinstance(arrival, dict) else None
    starts = [(came or 0, _whole(peer.get("group")))]
    for first, group in _changes(peer.get("data_changes")):
        if group != starts[-1][1]:
            starts = [each for each in starts if each[0] < first] + [(first, group)]
    left = _whole(peer.get("leaves"))
    starts = [each for each in starts if left is None or each[0] < left]
    ends = [*(first for first, _ in starts[1:]), left]
    return [Period(t, group, end) for (t, group), end in zip(starts, ends, strict=True)]


def _changes(found: object) -> Iterable[tuple[int, int | None]]:
    """Yield (round, group) of each change of the group that comes after those before it."""
    last = 0
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, dict):
            continue
        t, group = _whole(each.get("round")), _whole(each.get("group"))
        if t is not None and t >= last:
            last = t
            yield t, group


def _whole(value: object) -> int | None:
    return value if type(value) is int and abs(value) <= 2**53 else None
