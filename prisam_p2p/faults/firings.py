"""All firings of a run: which peers they hold down, and their application, evidence and heal.

A firing is applied, verified and healed by its act. What becomes of it goes into the launcher's
journal. Pure but for what acts do through `PeerControl`: time is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prisam_p2p.faults.acts import act_class
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import (
    AfterFault,
    AtTime,
    FaultPlan,
    HealAfter,
    HealAtRound,
    HealNever,
)
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.measure import records


class Firings:
    """The firings of a plan's occurrences, one for each peer that an occurrence concerns.

    Args:
        plan: None = no faults.
        note: takes records for the launcher's journal.
        on_healed: called with the peer of a firing that is healed.
    """

    def __init__(
        self,
        plan: FaultPlan | None,
        peers: PeerControl,
        links: LinkFaults | None,
        note: Callable[[records.Record], None],
        on_healed: Callable[[str], None],
    ) -> None:
        self._plan, self._note, self._on_healed = plan, note, on_healed
        occurrences = plan.occurrences if plan else []
        self._acts = {o.kind: act_class(o.kind)(peers, links) for o in occurrences}
        self._all = [Firing(o, peer) for o in occurrences for peer in o.concerned]
        self._unproved: list[Firing] = []

    def __iter__(self) -> Iterator[Firing]:
        return iter(self._all)

    def act(self, firing: Firing) -> Act:
        """Return the act of a firing's kind."""
        return self._acts[firing.kind]

    def siblings(self, firing: Firing) -> list[Firing]:
        """Return the other firings of the same occurrence."""
        return [f for f in self._all if f.occurrence is firing.occurrence and f is not firing]

    def drop_siblings(self, firing: Firing) -> None:
        """Forget the other firings of an occurrence that hits one of its peers only."""
        dropped = self.siblings(firing)
        self._all = [each for each in self._all if each not in dropped]

    # -- which peers are down --------------------------------------------------------------

    def active(self, peer: str) -> list[Firing]:
        """Return the firings at a peer that are applied and not healed."""
        return [firing for firing in self._all if firing.peer == peer and firing.active]

    def holds(self, peer: str) -> bool:
        """Tell whether a peer is down or suspended, or about to be."""
        return any(firing.traits.takes_down for firing in self.active(peer))

    def is_suspended(self, peer: str) -> bool:
        """Tell whether a fault has suspended a peer's process."""
        return any(f.traits.suspends_process and f.settled for f in self.active(peer))

    def suspends(self, peer: str) -> bool:
        """Tell whether a fault has suspended a peer's process, or is about to."""
        return any(firing.traits.suspends_process for firing in self.active(peer))

    def throttles(self, peer: str) -> bool:
        """Tell whether a fault stops a peer's process many times a second."""
        return any(firing.traits.throttles_process for firing in self.active(peer))

    def expects_back(self, peer: str) -> bool:
        """Tell whether a peer that is down will be started again."""
        down = self._keeping_down(peer)
        return bool(down) and not any(map(self.is_for_good, down))

    def explains_end(self, peer: str) -> bool:
        """Tell whether a peer has no process because of a fault."""
        return any(self.act(firing).explains_end(firing) for firing in self.active(peer))

    def waits_for_others(self, peer: str) -> bool:
        """Tell whether a peer is suspended, or down until the others reach a round."""
        heals = [firing.occurrence.heal for firing in self._keeping_down(peer)]
        return self.is_suspended(peer) or any(isinstance(heal, HealAtRound) for heal in heals)

    def is_for_good(self, firing: Firing) -> bool:
        """Tell whether a firing that ended its peer's process is not healed before the run ends."""
        heal, rounds = firing.occurrence.heal, self._plan.rounds if self._plan else 0
        late = isinstance(heal, HealAtRound) and heal.round >= rounds
        return firing.traits.ends_process and (isinstance(heal, HealNever) or late)

    def _keeping_down(self, peer: str) -> list[Firing]:
        """Return the firings that ended a peer's process and have not begun to heal."""
        return [f for f in self.active(peer) if f.traits.ends_process and f.back_s is None]

    # -- when the clock acts ---------------------------------------------------------------

    def due_s(self, firing: Firing, began_s: float) -> float | None:
        """Return when the clock applies a firing; None = it was, or something else does.

        Args:
            began_s: when the rounds began.
        """
        trigger = firing.occurrence.trigger
        if firing.applied_s is not None or firing.missed:
            return None
        if isinstance(trigger, AtTime):
            return began_s + trigger.time_s
        if isinstance(trigger, AfterFault):
            edge = "applied_s" if trigger.edge == "applied" else "healed_s"
            times = [getattr(f, edge) for f in self._all if f.occurrence.id == trigger.after]
            if times and None not in times:
                return float(max(times)) + trigger.delay_s
        return None

    def heal_s(self, firing: Firing) -> float | None:
        """Return when the clock heals a firing; None = something else does, or has begun to."""
        heal = firing.occurrence.heal
        still_ending = firing.traits.ends_process and firing.verified_s is None
        if firing.applied_s is None or firing.back_s is not None or still_ending:
            return None
        return firing.applied_s + heal.after_s if isinstance(heal, HealAfter) else None

    # -- what becomes of them --------------------------------------------------------------

    def apply(self, firing: Firing, now_s: float, late_s: float = 0.0) -> bool:
        """Apply a firing; return False where its peer is down, or the guard forbids it."""
        guarded = self._is_guarded(firing)
        if guarded or not self.act(firing).apply(firing, now_s):
            if not firing.missed:
                firing.missed = True
                why = records.GUARDED if guarded else "the peer was down"
                self._note(records.FaultMissed(firing.occurrence.id, firing.peer, why))
            return False
        firing.applied_s = now_s
        name, kind = firing.occurrence.id, firing.kind
        self._note(records.FaultApplied(name, kind, firing.peer, round(late_s, 6)))
        return True

    def verify(self, firing: Firing, evidence: str | None, now_s: float) -> None:
        """Note the first evidence that a firing bit; None = there is none."""
        if evidence and firing.verified_s is None:
            firing.verified_s = now_s
            self._note(records.FaultVerified(firing.occurrence.id, firing.peer, evidence))

    def heal(self, firing: Firing, now_s: float) -> None:
        """Heal a firing, or begin to where a process has to start."""
        act = self.act(firing)
        if self._is_outlasted(firing) or act.heal(firing, now_s):
            self.verify(firing, act.observe(firing, now_s), now_s)
            self.note_healed(firing, now_s)
            if act.awaits_evidence(firing):
                self._unproved.append(firing)

    def take_late_evidence(self, now_s: float) -> bool:
        """Take in the evidence that comes after the heal; tell whether more is to come."""
        waiting, self._unproved = self._unproved, []
        for firing in waiting:
            act = self.act(firing)
            if act.awaits_evidence(firing):
                self._unproved.append(firing)
            else:
                self.verify(firing, act.observe(firing, now_s), now_s)
        return bool(self._unproved)

    def note_healed(self, firing: Firing, now_s: float) -> None:
        """Note that a firing is healed."""
        firing.healed_s = now_s
        self._note(records.FaultHealed(firing.occurrence.id, firing.peer))
        self._on_healed(firing.peer)

    def _is_guarded(self, firing: Firing) -> bool:
        """Tell whether too many other peers are down, where the plan could not know."""
        if self._plan is None or not firing.occurrence.guard_at_run_time:
            return False
        down = {each.peer for each in self._all if each.keeps_down}
        if firing.peer in down:
            return False
        more = set(firing.occurrence.peers) if firing.traits.all_or_none else {firing.peer}
        return len(down | more) > self._plan.most_down

    def _is_outlasted(self, firing: Firing) -> bool:
        """Tell whether another fault keeps the peer down: healing one never undoes another."""
        if firing.back_s is not None:
            return False
        others = [f for f in self.active(firing.peer) if f is not firing and f.back_s is None]
        if firing.traits.ends_process:
            return any(other.traits.ends_process for other in others)
        return firing.traits.suspends_process and any(o.traits.suspends_process for o in others)
