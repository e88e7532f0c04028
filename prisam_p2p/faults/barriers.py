"""Where peers wait for each other, so that a fault of a round and phase hits all in one state.

A meeting is the beginning of a phase of a round. Who takes part waits there until all are there
or cannot come; then what is due is done, and all go on. So what a fault does is the same whoever
is faster. Pure: time is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from prisam_p2p.control.spec import Phase
from prisam_p2p.faults.fault_plan import AtRound, AtTransfer, FaultPlan, HealAtRound, Occurrence
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.timing import PHASES

Mark = tuple[int, Phase]

TIMEOUT_S = 1800.0
"""A meeting waits so long for who is late, then goes on without."""


@dataclass
class Meeting:
    """One meeting.

    Attributes:
        waiting: who is here.
        firings: what was done here; `awaited` of them come (back) to it before all go on.
        over: whoever comes later goes on at once.
    """

    mark: Mark
    expected: frozenset[str]
    waiting: set[str] = field(default_factory=set)
    began_s: float | None = None
    done_s: float | None = None
    firings: list[Firing] = field(default_factory=list)
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
        return back and all(firing.settled for firing in self.firings)

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


# -- who waits where -------------------------------------------------------------------


def marks(plan: FaultPlan, neighbors: Mapping[str, Collection[str]]) -> dict[str, list[Mark]]:
    """Return where each peer waits: (round, phase), ascending; a peer without marks is left out.

    Whom a trigger at a round and phase concerns meets there, and again at the beginning of the
    round in which it is healed. Whom it takes away or brings its neighbors meet, too.
    """
    found: dict[str, set[tuple[int, int]]] = {peer: set() for peer in plan.peers}
    for occurrence in plan.occurrences:
        attending = _attending(occurrence, neighbors)
        for round_index, phase in _meetings(occurrence):
            for peer in attending if round_index < plan.rounds else ():
                found[peer].add((round_index, PHASES.index(phase)))
    return {
        peer: [(round_index, PHASES[phase]) for round_index, phase in sorted(each)]
        for peer, each in found.items()
        if each
    }


def _attending(occurrence: Occurrence, neighbors: Mapping[str, Collection[str]]) -> set[str]:
    attending = set(occurrence.concerned)
    if occurrence.traits.takes_down or occurrence.traits.starts_process:
        attending.update(*(neighbors[peer] for peer in occurrence.peers))
    return attending


def _meetings(occurrence: Occurrence) -> Iterator[Mark]:
    trigger, heal = occurrence.trigger, occurrence.heal
    if isinstance(trigger, AtRound):
        yield trigger.round, trigger.phase
    if isinstance(heal, HealAtRound):
        yield heal.round, "train"


def stops(plan: FaultPlan) -> dict[str, list[tuple[int | None, float]]]:
    """Return at which shares of which transfers each donor waits: (round, share), ascending.

    Round None is every round, and comes first. Donors are an occurrence's peers; of a fault of
    links, the peers from which the links lead.
    """
    found: dict[str, set[tuple[int | None, float]]] = {}
    for occurrence in plan.occurrences:
        trigger = occurrence.trigger
        if isinstance(trigger, AtTransfer):
            for donor in occurrence.donors:
                found.setdefault(donor, set()).add((trigger.round, trigger.share))
    return {donor: sorted(found[donor], key=_place) for donor in sorted(found)}


def _place(stop: tuple[int | None, float]) -> tuple[int, float]:
    return (-1 if stop[0] is None else stop[0], stop[1])
