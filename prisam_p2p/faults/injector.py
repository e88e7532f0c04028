"""The injector: applies and heals faults when the clock, a barrier or a transfer says so.

Time and news come in as arguments; what becomes of each fault stands in firings.py. Faults with a
round and phase are applied, and healed, at barriers, while all peers that they concern wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.control.messages import LeaveBarrier, Report, ResumeTransfer
from prisam_p2p.control.spec import Stop
from prisam_p2p.faults.acts.byzantine import is_from_the_start
from prisam_p2p.faults.barrier_plan import PhaseStart
from prisam_p2p.faults.barriers import Barrier, Barriers
from prisam_p2p.faults.fault_plan import AtRound, FaultPlan, HealAfter, HealAtRound
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.firings import Firings
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.measure import records


class Injector:
    """Applies and heals the occurrences of a plan.

    Args:
        plan: None = no faults.
        note: takes records for the launcher's journal.
        barriers: peer -> its barriers (see `barriers_of`).

    Attributes:
        firings: what became of the faults, and which peers they hold down.
    """

    def __init__(
        self,
        plan: FaultPlan | None,
        peers: PeerControl,
        note: Callable[[records.Record], None],
        barriers: Mapping[str, Collection[PhaseStart]],
        links: LinkFaults | None = None,
    ) -> None:
        self._peers, self._links = peers, links
        self.firings = Firings(plan, peers, links, note, self._on_healed)
        self._barriers = Barriers(barriers)
        self._stops: dict[str, list[Stop]] = {}
        self._began_s: float | None = None

    # -- news ----------------------------------------------------------------------------

    def on_start(self, peer: str, now_s: float) -> None:
        """The first process of a peer is started."""
        for firing in self.firings:
            if firing.peer == peer and is_from_the_start(firing.occurrence):
                self.firings.apply(firing, now_s)

    def begin(self, now_s: float) -> None:
        """The rounds begin."""
        self._began_s = now_s

    def at_barrier(self, peer: str, at: PhaseStart, now_s: float) -> None:
        """A peer waits at a barrier until it is released."""
        if self._barriers.arrive(peer, at, now_s).released:
            self._release(peer)
        self._advance_barriers(now_s)

    def at_stop(self, peer: str, stop: Stop, now_s: float) -> None:
        """A transfer of a donor waits at a share of its bytes until it is resumed."""
        self._stops.setdefault(peer, []).append(stop)
        for firing in [f for f in self.firings if f.peer == peer and f.waits_for(stop)]:
            self.firings.apply(firing, now_s)
            if firing.occurrence.links:
                for other in self.firings.siblings(firing):
                    self.firings.apply(other, now_s)
            else:
                self.firings.drop_siblings(firing)
        self._resume_transfers(peer)

    def on_up(self, peer: str) -> None:
        """A process of a peer has started, and has no rules yet."""
        if self._links:
            self._links.on_up(peer)

    def on_exit(self, peer: str, code: int, now_s: float) -> None:
        """A process of a peer has ended."""
        self._barriers.leave(peer)
        self._stops.pop(peer, None)
        for firing in self.firings.active(peer):
            self.firings.verify(firing, self.firings.act(firing).on_exit(firing, code), now_s)
            if firing.traits.suspends_process:  # no process is left that could be resumed
                self.firings.note_healed(firing, now_s)
        self._advance_barriers(now_s)

    def on_restart(self, peer: str, now_s: float) -> None:
        """A peer whose host was lost starts again on another one."""
        for firing in self.firings.active(peer):
            if firing.traits.ends_process and firing.back_s is None:
                firing.back_s = now_s

    def on_ready(self, peer: str, now_s: float) -> None:
        """A later process of a peer is connected."""
        for firing in self.firings.active(peer):
            act = self.firings.act(firing)
            self.firings.verify(firing, act.on_ready(firing), now_s)
            if act.is_back(firing):
                self.firings.note_healed(firing, now_s)

    def on_report(self, peer: str, report: Report, now_s: float) -> None:
        """Handle a peer's report, which may be evidence for firings at any peer."""
        if self._links:
            self._links.on_report(report)
        for firing in self.firings:
            unapplied = firing.peer == peer and firing.applied_s is None
            if unapplied and self.firings.act(firing).applied_by_peer(firing, report):
                self.firings.apply(firing, now_s)  # it was down when the barrier was due
            if firing.applied_s is not None and firing.verified_s is None:
                act, is_own = self.firings.act(firing), firing.peer == peer
                evidence = act.on_report(firing, report) if is_own else act.observe(firing, now_s)
                self.firings.verify(firing, evidence, now_s)

    def tick(self, now_s: float) -> None:
        """Apply and heal what the clock says."""
        if self._links:
            self._links.refresh(now_s)
        for firing in self.firings:
            if self._began_s is not None:
                due_s = self.firings.due_s(firing, self._began_s)
                if due_s is not None and now_s >= due_s:
                    self.firings.apply(firing, now_s, now_s - due_s)
            if firing.active:
                self._tend(firing, now_s)
        self.firings.take_late_evidence(now_s)
        self._advance_barriers(now_s)

    def _tend(self, firing: Firing, now_s: float) -> None:
        """Keep an active firing going, look for evidence, and heal it if it is due."""
        act = self.firings.act(firing)
        act.on_tick(firing)
        if firing.verified_s is None:
            self.firings.verify(firing, act.observe(firing, now_s), now_s)
        heal_s = self.firings.heal_s(firing)
        if heal_s is not None and now_s >= heal_s:
            self.firings.heal(firing, now_s)

    def heal_waiting(self, now_s: float) -> None:
        """No peer is left that could reach a round: heal what waits for one."""
        for firing in self.firings:
            held = firing.active and firing.traits.takes_down and firing.back_s is None
            if held and not self.firings.is_for_good(firing):
                self.firings.heal(firing, now_s)

    def heal_all(self, now_s: float) -> None:
        """The rounds are over: heal what does not need a new process, so that peers can finish."""
        for firing in self.firings:
            traits = firing.traits
            stays = traits.ends_process or traits.is_attack or traits.changes_data
            if firing.active and not stays:
                self.firings.heal(firing, now_s)

    # -- barriers ------------------------------------------------------------------------

    def _advance_barriers(self, now_s: float) -> None:
        for barrier in self._barriers.under_way():
            if barrier.acted_s is None and barrier.is_complete(self._cannot_come, now_s):
                barrier.acted_s = now_s
                for firing in self.firings:
                    self._heal_at(barrier, firing, now_s)
                    self._apply_at(barrier, firing, now_s)
            if barrier.may_release(self._is_lost, self._is_changing, now_s):
                barrier.released = True
                for peer in sorted(barrier.waiting):
                    self._release(peer)

    def _heal_at(self, barrier: Barrier, firing: Firing, now_s: float) -> None:
        """Heal a firing at a barrier if it is due there."""
        (round_index, phase), heal = barrier.at, firing.occurrence.heal
        is_due = isinstance(heal, HealAtRound) and heal.round <= round_index
        if firing.active and is_due and phase == "train":
            self.firings.heal(firing, now_s)
            if firing.traits.is_attack:
                barrier.await_again(firing.peer)
            elif firing.traits.takes_down:
                barrier.awaited.add(firing.peer)

    def _apply_at(self, barrier: Barrier, firing: Firing, now_s: float) -> None:
        """Apply a firing at a barrier if it is due there."""
        trigger = firing.occurrence.trigger
        is_due = isinstance(trigger, AtRound) and (trigger.round, trigger.phase) == barrier.at
        if is_due and firing.applied_s is None and self.firings.apply(firing, now_s):
            barrier.applied.append(firing)
            if firing.traits.starts_process or _restarts_at_once(firing):
                barrier.await_again(firing.peer)

    def _release(self, peer: str) -> None:
        """Let a peer leave its barrier, unless a fault holds it there."""
        if self.firings.holds(peer):
            return  # the signal and the order would race
        self._barriers.leave(peer)
        self._peers.order(peer, LeaveBarrier())

    def _resume_transfers(self, peer: str) -> None:
        if not self.firings.holds(peer):
            for stop in self._stops.pop(peer, []):
                self._peers.order(peer, ResumeTransfer(stop))

    def _on_healed(self, peer: str) -> None:
        if self._barriers.is_overdue(peer):
            self._release(peer)
        self._resume_transfers(peer)

    def _cannot_come(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer does not reach a barrier of this round."""
        gone = self._peers.is_down(peer) or self._peers.is_past(peer, round_index)
        return gone or self.firings.is_suspended(peer)

    def _is_lost(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer that was to come back to a barrier of this round does not."""
        gone = self._peers.is_down(peer) and not self.firings.expects_back(peer)
        return gone or self._peers.is_past(peer, round_index)

    def _is_changing(self, peer: str) -> bool:
        """Tell whether a peer may still drop what others send once they are released.

        A suspended process removes its rules when it goes on.
        """
        return self._peers.is_removing_rules(peer) and not self.firings.is_suspended(peer)


def _restarts_at_once(firing: Firing) -> bool:
    heal = firing.occurrence.heal
    return firing.traits.ends_process and isinstance(heal, HealAfter) and heal.after_s == 0
