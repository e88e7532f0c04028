"""Makes the faults of a plan happen when they are due, and writes down what became of each.

Time and news come in as arguments. How a kind is applied, verified and healed is the subject of its
act (acts/), which acts on processes through `PeerControl`. Faults of a round and phase are applied,
and healed, at barriers: while all peers that they concern wait (barriers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.control.messages import LeaveBarrier, Report, ResumeTransfer
from prisam_p2p.control.spec import Stop
from prisam_p2p.faults.acts import act_class
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
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.measure import records


class Injector:
    """Applies and heals the occurrences of a plan.

    Args:
        plan: None = nothing is to happen.
        note: takes records for the launcher's journal.
        marks: peer -> the meetings that it takes firing in.
    """

    def __init__(
        self,
        plan: FaultPlan | None,
        peers: PeerControl,
        note: Callable[[records.Record], None],
        marks: Mapping[str, Collection[Mark]],
        links: LinkFaults | None = None,
    ) -> None:
        self._peers, self._note, self._links = peers, note, links
        self._plan, occurrences = plan, plan.occurrences if plan else []
        self._acts = {o.kind: act_class(o.kind)(peers, links) for o in occurrences}
        self._firings = [Firing(o, peer) for o in occurrences for peer in o.concerned]
        self._meetings = Meetings(marks)
        self._stops: dict[str, list[Stop]] = {}
        self._began_s: float | None = None

    def on_start(self, peer: str, now_s: float) -> None:
        """A peer's first process is started."""
        for firing in self._firings:
            if firing.peer == peer and is_from_the_start(firing.occurrence):
                self._apply(firing, now_s, 0.0)

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
        for first in [p for p in self._firings if p.peer == peer and p.waits_for(stop)]:
            others = [
                p for p in self._firings if p.occurrence is first.occurrence and p is not first
            ]
            self._apply(first, now_s, 0.0)
            if first.occurrence.links:
                for firing in others:
                    self._apply(firing, now_s, 0.0)
            else:
                self._firings = [firing for firing in self._firings if firing not in others]
        self._let_transfers_go(peer)

    def on_up(self, peer: str) -> None:
        """A peer's process is there, and has no rules yet."""
        if self._links:
            self._links.peer_is_up(peer)

    def on_exit(self, peer: str, code: int, now_s: float) -> None:
        """A peer's process is gone."""
        self._meetings.leave(peer)
        self._stops.pop(peer, None)
        for firing in self._active(peer):
            self._prove(firing, self._acts[firing.kind].ended(firing, code), now_s)
            if firing.traits.suspends_process:  # there is no process any more that could go on
                self._note_healed(firing, now_s)
        self._meet(now_s)

    def on_ready(self, peer: str, now_s: float) -> None:
        """A later process of a peer is connected."""
        for firing in self._active(peer):
            self._prove(firing, self._acts[firing.kind].ready(firing), now_s)
            if self._acts[firing.kind].is_back(firing):
                self._note_healed(firing, now_s)

    def on_report(self, peer: str, report: Report, now_s: float) -> None:
        """Take in what a peer reports: perhaps evidence, also for a fault that others share."""
        if self._links:
            self._links.take_in(report)
        for firing in self._firings:
            if firing.applied_s is not None and firing.verified_s is None:
                act = self._acts[firing.kind]
                own = firing.peer == peer
                evidence = act.told(firing, report) if own else act.look(firing, now_s)
                self._prove(firing, evidence, now_s)

    def tick(self, now_s: float) -> None:
        """Do what the clock says."""
        if self._links:
            self._links.keep(now_s)
        for firing in self._firings:
            due_s = self._due_s(firing)
            if due_s is not None and now_s >= due_s:
                self._apply(firing, now_s, now_s - due_s)
            if not firing.active:
                continue
            paused = any(other.traits.suspends_process for other in self._active(firing.peer))
            self._acts[firing.kind].keep(firing, now_s, paused)
            if firing.verified_s is None:
                self._prove(firing, self._acts[firing.kind].look(firing, now_s), now_s)
            heal_s = self._heal_s(firing)
            if heal_s is not None and now_s >= heal_s:
                self._heal(firing, now_s)
        self._meet(now_s)

    # -- questions -----------------------------------------------------------------------

    def expects_back(self, peer: str) -> bool:
        """Tell whether a peer that is down will be started again."""
        down = self._keeping_down(peer)
        return bool(down) and not any(map(self._is_for_good, down))

    def planned_end(self, peer: str) -> bool:
        """Tell whether a peer is gone because the plan says so."""
        return any(self._acts[firing.kind].explains_end(firing) for firing in self._active(peer))

    def is_paused(self, peer: str) -> bool:
        """Tell whether a fault has stopped a peer's process."""
        return any(
            firing.traits.suspends_process and firing.settled for firing in self._active(peer)
        )

    def waits_for_others(self, peer: str) -> bool:
        """Tell whether a peer is paused, or down until the others come to a round."""
        heals = [firing.occurrence.heal for firing in self._keeping_down(peer)]
        return self.is_paused(peer) or any(isinstance(heal, HealAtRound) for heal in heals)

    def heal_who_waits(self, now_s: float) -> None:
        """There are no others who could come to a round: do what was to be done then."""
        for firing in self._firings:
            held = firing.active and firing.traits.takes_down and firing.back_s is None
            if held and not self._is_for_good(firing):
                self._heal(firing, now_s)

    def heal_all(self, now_s: float) -> None:
        """The run is at its end: undo what can be undone, so that everybody can finish."""
        for firing in self._firings:
            if firing.active and not (firing.traits.ends_process or firing.traits.is_attack):
                self._heal(firing, now_s)

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
        for firing in self._firings:
            heal, trigger = firing.occurrence.heal, firing.occurrence.trigger
            over = isinstance(heal, HealAtRound) and heal.round <= round_index
            if firing.active and over and phase == "train":
                self._heal(firing, now_s)
                if firing.traits.is_attack:
                    meeting.await_again(firing.peer)
                elif firing.traits.takes_down:
                    meeting.awaited.add(firing.peer)
            here = isinstance(trigger, AtRound) and (trigger.round, trigger.phase) == meeting.mark
            if here and firing.applied_s is None and self._apply(firing, now_s, 0.0):
                meeting.firings.append(firing)
                if firing.traits.starts_process or _is_back_at_once(firing):
                    meeting.await_again(firing.peer)

    def _let_go(self, peer: str) -> None:
        """Let a peer go on from its meeting, unless it is being stopped there."""
        if self._is_held(peer):
            return  # the signal and the order would race
        self._meetings.leave(peer)
        self._peers.order(peer, LeaveBarrier())

    def _let_transfers_go(self, peer: str) -> None:
        if not self._is_held(peer):
            for stop in self._stops.pop(peer, []):
                self._peers.order(peer, ResumeTransfer(stop))

    def _is_held(self, peer: str) -> bool:
        return any(firing.traits.takes_down for firing in self._active(peer))

    def _cannot_come(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer does not come to a meeting of this round."""
        gone = self._peers.is_down(peer) or self._peers.is_past(peer, round_index)
        return gone or self.is_paused(peer)

    def _is_lost(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer that was to come back to a meeting of this round does not."""
        gone = self._peers.is_down(peer) and not self.expects_back(peer)
        return gone or self._peers.is_past(peer, round_index)

    # -- firings ---------------------------------------------------------------------------

    def _active(self, peer: str) -> list[Firing]:
        return [firing for firing in self._firings if firing.peer == peer and firing.active]

    def _due_s(self, firing: Firing) -> float | None:
        """Return when the clock applies a firing, None if it was, or something else does."""
        trigger = firing.occurrence.trigger
        if firing.applied_s is not None or firing.missed or self._began_s is None:
            return None
        if isinstance(trigger, AtTime):
            return self._began_s + trigger.time_s
        if isinstance(trigger, AfterFault):
            edge = "applied_s" if trigger.edge == "applied" else "healed_s"
            times = [getattr(p, edge) for p in self._firings if p.occurrence.id == trigger.after]
            if times and None not in times:
                return float(max(times)) + trigger.delay_s
        return None

    def _heal_s(self, firing: Firing) -> float | None:
        """Return when the clock heals a firing, None if something else does, or has begun to."""
        heal = firing.occurrence.heal
        going = firing.traits.ends_process and firing.verified_s is None
        if firing.applied_s is None or firing.back_s is not None or going:
            return None
        return firing.applied_s + heal.after_s if isinstance(heal, HealAfter) else None

    def _apply(self, firing: Firing, now_s: float, late_s: float) -> bool:
        guarded = self._is_guarded(firing)
        if guarded or not self._acts[firing.kind].apply(firing, now_s):
            if not firing.missed:
                firing.missed = True
                why = records.GUARDED if guarded else "the peer was down"
                self._note(records.FaultMissed(firing.occurrence.id, firing.peer, why))
            return False
        firing.applied_s = now_s
        name, kind = firing.occurrence.id, firing.kind
        self._note(records.FaultApplied(name, kind, firing.peer, round(late_s, 6)))
        return True

    def _is_guarded(self, firing: Firing) -> bool:
        """Tell whether too many others are down, where the plan could not know."""
        if self._plan is None or not firing.occurrence.guard_at_run_time:
            return False
        down = {each.peer for each in self._firings if each.keeps_down}
        return firing.peer not in down and len(down) >= self._plan.most_down

    def _prove(self, firing: Firing, evidence: str | None, now_s: float) -> None:
        if evidence and firing.verified_s is None:
            firing.verified_s = now_s
            self._note(records.FaultVerified(firing.occurrence.id, firing.peer, evidence))

    def _heal(self, firing: Firing, now_s: float) -> None:
        act = self._acts[firing.kind]
        if self._is_outlasted(firing) or act.heal(firing, now_s):
            self._prove(firing, act.look(firing, now_s), now_s)
            self._note_healed(firing, now_s)

    def _keeping_down(self, peer: str) -> list[Firing]:
        """Return what keeps a peer down, of what is not being undone."""
        return [p for p in self._active(peer) if p.traits.ends_process and p.back_s is None]

    def _is_for_good(self, firing: Firing) -> bool:
        """Tell whether a firing that keeps its peer down is not undone before the run is over."""
        heal, rounds = firing.occurrence.heal, self._plan.rounds if self._plan else 0
        late = isinstance(heal, HealAtRound) and heal.round >= rounds
        return firing.traits.ends_process and (isinstance(heal, HealNever) or late)

    def _is_outlasted(self, firing: Firing) -> bool:
        """Tell whether another fault has the same peer down: healing one never undoes another."""
        if firing.back_s is not None:
            return False
        others = (p for p in self._active(firing.peer) if p is not firing and p.back_s is None)
        if firing.traits.ends_process:
            return any(other.traits.ends_process for other in others)
        return firing.traits.suspends_process and any(o.traits.suspends_process for o in others)

    def _note_healed(self, firing: Firing, now_s: float) -> None:
        firing.healed_s = now_s
        self._note(records.FaultHealed(firing.occurrence.id, firing.peer))
        if self._meetings.has_left(firing.peer):
            self._let_go(firing.peer)
        self._let_transfers_go(firing.peer)


def _is_back_at_once(firing: Firing) -> bool:
    heal = firing.occurrence.heal
    return firing.traits.ends_process and isinstance(heal, HealAfter) and heal.after_s == 0
