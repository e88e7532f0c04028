"""Makes the faults of a plan happen when they are due, and writes down what became of each.

Time and news come in as arguments. How a kind is done, proven and undone is its act's
(acts/); what is done goes through `Hands`. Faults of a round and phase are applied, and healed,
at meetings: while all whom they concern wait (meetings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.control.messages import LeaveBarrier, Report, ResumeTransfer
from prisam_p2p.control.spec import Stop
from prisam_p2p.faults.acts import acts_with
from prisam_p2p.faults.acts.byzantine import is_from_the_start
from prisam_p2p.faults.barriers import Mark, Meeting, Meetings
from prisam_p2p.faults.fault_plan import (
    AfterFault,
    AtRound,
    AtTime,
    FaultPlan,
    HealAfter,
    HealAtRound,
    HealNever,
)
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.kinds import REPLACING, STOPPING
from prisam_p2p.faults.link_faults import Links
from prisam_p2p.measure import records

_ENDING = frozenset({"kill", "term", "leave", "restart"})
_COMING = frozenset({"join"}) | REPLACING


class Injector:
    """Applies and heals the occurrences of a plan.

    Args:
        plan: None = nothing is to happen.
        note: takes records for the launcher's journal.
        marks: peer -> the meetings that it takes part in.
    """

    def __init__(
        self,
        plan: FaultPlan | None,
        hands: Hands,
        note: Callable[[records.Record], None],
        marks: Mapping[str, Collection[Mark]],
        links: Links | None = None,
    ) -> None:
        self._hands, self._note, self._links = hands, note, links
        self._plan, occurrences = plan, plan.occurrences if plan else []
        self._acts = acts_with(hands, links)
        self._parts = [Part(o, peer) for o in occurrences for peer in o.concerned]
        self._meetings = Meetings(marks)
        self._stops: dict[str, list[Stop]] = {}
        self._began_s: float | None = None

    def on_start(self, peer: str, now_s: float) -> None:
        """A peer's first process is started."""
        for part in self._parts:
            if part.peer == peer and is_from_the_start(part.occurrence):
                self._apply(part, now_s, 0.0)

    def begin(self, now_s: float) -> None:
        """The rounds begin."""
        self._began_s = now_s

    # -- news ----------------------------------------------------------------------------

    def at_barrier(self, peer: str, mark: Mark, now_s: float) -> None:
        """A peer waits at the beginning of a phase until it is told to go on."""
        if self._meetings.arrive(peer, mark, now_s).over:
            self._let_go(peer)
        self._meet(now_s)

    def at_stop(self, peer: str, stop: Stop, now_s: float) -> None:
        """A transfer of a donor waits at a share until it is let go."""
        self._stops.setdefault(peer, []).append(stop)
        for first in [p for p in self._parts if p.peer == peer and p.waits_for(stop)]:
            others = [p for p in self._parts if p.occurrence is first.occurrence and p is not first]
            self._apply(first, now_s, 0.0)
            if first.occurrence.links:
                for part in others:
                    self._apply(part, now_s, 0.0)
            else:
                self._parts = [part for part in self._parts if part not in others]
        self._let_transfers_go(peer)

    def on_up(self, peer: str) -> None:
        """A peer's process is there, and has no rules yet."""
        if self._links:
            self._links.peer_is_up(peer)

    def on_exit(self, peer: str, code: int, now_s: float) -> None:
        """A peer's process is gone."""
        self._meetings.leave(peer)
        self._stops.pop(peer, None)
        for part in self._active(peer):
            self._prove(part, self._acts[part.kind].ended(part, code), now_s)
            if part.kind == "pause":  # there is no process any more that could go on
                self._note_healed(part, now_s)
        self._meet(now_s)

    def on_ready(self, peer: str, now_s: float) -> None:
        """A later process of a peer is connected."""
        for part in self._active(peer):
            self._prove(part, self._acts[part.kind].ready(part), now_s)
            if self._acts[part.kind].is_back(part):
                self._note_healed(part, now_s)

    def on_report(self, peer: str, report: Report, now_s: float) -> None:
        """A peer reports what may be evidence, of its own part or of a fault that others share."""
        if self._links:
            self._links.take_in(report)
        for part in self._parts:
            if part.applied_s is not None and part.verified_s is None:
                act = self._acts[part.kind]
                own = part.peer == peer
                evidence = act.told(part, report) if own else act.look(part, now_s)
                self._prove(part, evidence, now_s)

    def tick(self, now_s: float) -> None:
        """Do what the clock says."""
        if self._links:
            self._links.keep(now_s)
        for part in self._parts:
            due_s = self._due_s(part)
            if due_s is not None and now_s >= due_s:
                self._apply(part, now_s, now_s - due_s)
            if not part.active:
                continue
            paused = any(other.kind == "pause" for other in self._active(part.peer))
            self._acts[part.kind].keep(part, now_s, paused)
            if part.verified_s is None:
                self._prove(part, self._acts[part.kind].look(part, now_s), now_s)
            heal_s = self._heal_s(part)
            if heal_s is not None and now_s >= heal_s:
                self._heal(part, now_s)
        self._meet(now_s)

    # -- questions -----------------------------------------------------------------------

    def expects_back(self, peer: str) -> bool:
        """Tell whether a peer that is down will be started again."""
        down = self._keeping_down(peer)
        return bool(down) and not any(map(self._is_for_good, down))

    def planned_end(self, peer: str) -> bool:
        """Tell whether a peer is gone because the plan says so."""
        return any(self._acts[part.kind].explains_end(part) for part in self._active(peer))

    def is_paused(self, peer: str) -> bool:
        """Tell whether a fault has stopped a peer's process."""
        return any(part.kind == "pause" and part.settled for part in self._active(peer))

    def waits_for_others(self, peer: str) -> bool:
        """Tell whether a peer is paused, or down until the others come to a round."""
        heals = [part.occurrence.heal for part in self._keeping_down(peer)]
        return self.is_paused(peer) or any(isinstance(heal, HealAtRound) for heal in heals)

    def heal_who_waits(self, now_s: float) -> None:
        """There are no others who could come to a round: do what was to be done then."""
        for part in self._parts:
            held = part.active and part.kind in STOPPING and part.back_s is None
            if held and not self._is_for_good(part):
                self._heal(part, now_s)

    def heal_all(self, now_s: float) -> None:
        """The run is at its end: undo what can be undone, so that everybody can finish."""
        for part in self._parts:
            if part.active and part.kind not in _ENDING | REPLACING:
                self._heal(part, now_s)

    # -- meetings ------------------------------------------------------------------------

    def _meet(self, now_s: float) -> None:
        for meeting in self._meetings.under_way():
            if meeting.done_s is None and not meeting.lacks(self._cannot_come, now_s):
                meeting.done_s = now_s
                self._do_what_is_due(meeting, now_s)
            if meeting.goes_on(self._is_lost, now_s):
                meeting.over = True
                for peer in sorted(meeting.waiting):
                    self._let_go(peer)

    def _do_what_is_due(self, meeting: Meeting, now_s: float) -> None:
        round_index, phase = meeting.mark
        for part in self._parts:
            heal, trigger = part.occurrence.heal, part.occurrence.trigger
            over = isinstance(heal, HealAtRound) and heal.round <= round_index
            if part.active and over and phase == "train":
                self._heal(part, now_s)
                if part.kind in REPLACING:
                    meeting.await_again(part.peer)
                elif part.kind in STOPPING:
                    meeting.awaited.add(part.peer)
            here = isinstance(trigger, AtRound) and (trigger.round, trigger.phase) == meeting.mark
            if here and part.applied_s is None and self._apply(part, now_s, 0.0):
                meeting.parts.append(part)
                if part.kind in _COMING or _is_back_at_once(part):
                    meeting.await_again(part.peer)

    def _let_go(self, peer: str) -> None:
        """Let a peer go on from its meeting, unless it is being stopped there."""
        if self._is_held(peer):
            return  # the signal and the order would race
        self._meetings.leave(peer)
        self._hands.order(peer, LeaveBarrier())

    def _let_transfers_go(self, peer: str) -> None:
        if not self._is_held(peer):
            for stop in self._stops.pop(peer, []):
                self._hands.order(peer, ResumeTransfer(stop))

    def _is_held(self, peer: str) -> bool:
        return any(part.kind in STOPPING for part in self._active(peer))

    def _cannot_come(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer does not come to a meeting of this round."""
        gone = self._hands.is_down(peer) or self._hands.is_past(peer, round_index)
        return gone or self.is_paused(peer)

    def _is_lost(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer that was to come back to a meeting of this round does not."""
        gone = self._hands.is_down(peer) and not self.expects_back(peer)
        return gone or self._hands.is_past(peer, round_index)

    # -- parts ---------------------------------------------------------------------------

    def _active(self, peer: str) -> list[Part]:
        return [part for part in self._parts if part.peer == peer and part.active]

    def _due_s(self, part: Part) -> float | None:
        """Return when the clock applies a part, None if it was, or something else does."""
        trigger = part.occurrence.trigger
        if part.applied_s is not None or part.missed or self._began_s is None:
            return None
        if isinstance(trigger, AtTime):
            return self._began_s + trigger.time_s
        if isinstance(trigger, AfterFault):
            edge = "applied_s" if trigger.edge == "applied" else "healed_s"
            times = [getattr(p, edge) for p in self._parts if p.occurrence.id == trigger.after]
            if times and None not in times:
                return float(max(times)) + trigger.delay_s
        return None

    def _heal_s(self, part: Part) -> float | None:
        """Return when the clock heals a part, None if something else does, or has begun to."""
        heal = part.occurrence.heal
        going = part.kind in _ENDING and part.verified_s is None
        if part.applied_s is None or part.back_s is not None or going:
            return None
        return part.applied_s + heal.after_s if isinstance(heal, HealAfter) else None

    def _apply(self, part: Part, now_s: float, late_s: float) -> bool:
        guarded = self._is_guarded(part)
        if guarded or not self._acts[part.kind].apply(part, now_s):
            if not part.missed:
                part.missed = True
                why = records.GUARDED if guarded else "the peer was down"
                self._note(records.FaultMissed(part.occurrence.id, part.peer, why))
            return False
        part.applied_s = now_s
        name, kind = part.occurrence.id, part.kind
        self._note(records.FaultApplied(name, kind, part.peer, round(late_s, 6)))
        return True

    def _is_guarded(self, part: Part) -> bool:
        """Tell whether too many others are down, where the plan could not know."""
        if self._plan is None or not part.occurrence.guard_at_run_time:
            return False
        down = {each.peer for each in self._parts if each.keeps_down}
        return part.peer not in down and len(down) >= self._plan.most_down

    def _prove(self, part: Part, evidence: str | None, now_s: float) -> None:
        if evidence and part.verified_s is None:
            part.verified_s = now_s
            self._note(records.FaultVerified(part.occurrence.id, part.peer, evidence))

    def _heal(self, part: Part, now_s: float) -> None:
        act = self._acts[part.kind]
        if self._is_outlasted(part) or act.heal(part, now_s):
            self._prove(part, act.look(part, now_s), now_s)
            self._note_healed(part, now_s)

    def _keeping_down(self, peer: str) -> list[Part]:
        """Return what keeps a peer down, of what is not being undone."""
        return [p for p in self._active(peer) if p.kind in _ENDING and p.back_s is None]

    def _is_for_good(self, part: Part) -> bool:
        """Tell whether a part that keeps its peer down is not undone before the run is over."""
        heal, rounds = part.occurrence.heal, self._plan.rounds if self._plan else 0
        late = isinstance(heal, HealAtRound) and heal.round >= rounds
        return part.kind in _ENDING and (isinstance(heal, HealNever) or late)

    def _is_outlasted(self, part: Part) -> bool:
        """Tell whether another fault has the same peer down: healing one never undoes another."""
        if part.back_s is not None:
            return False
        alike = _ENDING if part.kind in _ENDING else {part.kind} & {"pause"}
        others = (p for p in self._active(part.peer) if p is not part and p.back_s is None)
        return any(other.kind in alike for other in others)

    def _note_healed(self, part: Part, now_s: float) -> None:
        part.healed_s = now_s
        self._note(records.FaultHealed(part.occurrence.id, part.peer))
        if self._meetings.has_left(part.peer):
            self._let_go(part.peer)
        self._let_transfers_go(part.peer)


def _is_back_at_once(part: Part) -> bool:
    heal = part.occurrence.heal
    return part.kind in _ENDING and isinstance(heal, HealAfter) and heal.after_s == 0
