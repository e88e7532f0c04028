"""Where peers wait for each other, so that a fault of a round and phase hits all in one state.

A meeting is the beginning of a phase of a round. Who takes part waits there until all are there
or cannot come; then what is due is done, and all go on. So what a fault does is the same whoever
is faster. Pure: time is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from prisam_p2p.emulate.faults.part import Part
from prisam_p2p.emulate.faults.timing import Phase

Mark = tuple[int, Phase]

TIMEOUT_S = 1800.0
"""A meeting waits so long for who is late, then goes on without."""


@dataclass
class Meeting:
    """One meeting.

    Attributes:
        waiting: who is here.
        parts: what was done here; `awaited` of them come (back) to it before all go on.
        over: whoever comes later goes on at once.
    """

    mark: Mark
    expected: frozenset[str]
    waiting: set[str] = field(default_factory=set)
    began_s: float | None = None
    done_s: float | None = None
    parts: list[Part] = field(default_factory=list)
    awaited: set[str] = field(default_factory=set)
    over: bool = False

    def lacks(self, cannot_come: Callable[[str, int], bool], now_s: float) -> bool:
        """Tell whether somebody is still to come before what is due can be done."""
        if self.began_s is None or now_s - self.began_s > TIMEOUT_S:
            return False
        late = self.expected - self.waiting
        return any(not cannot_come(peer, self.mark[0]) for peer in late)

    def goes_on(self, is_lost: Callable[[str, int], bool], now_s: float) -> bool:
        """Tell whether what was done here has taken effect, and who was awaited is here."""
        if self.done_s is None:
            return False
        if now_s - self.done_s > TIMEOUT_S:
            return True
        back = all(p in self.waiting or is_lost(p, self.mark[0]) for p in self.awaited)
        return back and all(part.settled for part in self.parts)

    def await_again(self, peer: str) -> None:
        """Wait for a peer's next process to come here."""
        self.waiting.discard(peer)
        self.awaited.add(peer)


class Meetings:
    """All meetings of a run.

    Args:
        marks: peer -> the meetings that it takes part in.
    """

    def __init__(self, marks: Mapping[str, Collection[Mark]]) -> None:
        found: dict[Mark, set[str]] = {}
        for peer, places in marks.items():
            for mark in places:
                found.setdefault(mark, set()).add(peer)
        self._all = {mark: Meeting(mark, frozenset(peers)) for mark, peers in found.items()}

    def arrive(self, peer: str, mark: Mark, now_s: float) -> Meeting:
        """Note that a peer waits at a mark."""
        meeting = self._all[mark]
        meeting.waiting.add(peer)
        if meeting.began_s is None:
            meeting.began_s = now_s
        return meeting

    def leave(self, peer: str) -> None:
        """Note that a peer waits nowhere: its process ended."""
        for meeting in self._all.values():
            meeting.waiting.discard(peer)

    def under_way(self) -> list[Meeting]:
        """Return the meetings that somebody came to and that are not over."""
        return [m for m in self._all.values() if m.began_s is not None and not m.over]

    def has_left(self, peer: str) -> bool:
        """Tell whether a peer waits at a meeting that is over."""
        return any(m.over and peer in m.waiting for m in self._all.values())
