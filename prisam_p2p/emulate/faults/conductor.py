"""Makes the faults of a plan happen, undoes them, and writes down what became of each.

Time and news come in as arguments; what it does goes through `Hands`. A *part* is an occurrence
at one peer. Faults of a round and phase are applied while their peer waits at that mark, so what
they do does not depend on who is faster.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prisam_p2p.emulate.faults.fault_plan import Occurrence
from prisam_p2p.emulate.faults.hands import Hands
from prisam_p2p.emulate.faults.kinds import STOPPING
from prisam_p2p.emulate.faults.link_faults import LinkFaults
from prisam_p2p.emulate.faults.message_rule import message_rule
from prisam_p2p.emulate.faults.plan_forms import (
    AfterFault,
    AtRound,
    AtTime,
    HealAfter,
    HealAtRound,
)
from prisam_p2p.measure import records

_SIGNALS = {"kill": signal.SIGKILL, "restart": signal.SIGKILL, "pause": signal.SIGSTOP}
_ENDING = frozenset({"kill", "term", "leave", "restart"})
_GO_ON = {"order": "go on"}
ON_LINKS = frozenset({"cut", "partition", "isolate", "flap", "shape"})
ON_MESSAGES = frozenset({"drop", "delay", "duplicate", "reorder", "hold", "corrupt"})
SUPPORTED = STOPPING | ON_LINKS | ON_MESSAGES


@dataclass
class Part:
    """An occurrence at one peer; times in seconds of the run's clock, None = not yet."""

    occurrence: Occurrence
    peer: str
    applied_s: float | None = None
    verified_s: float | None = None
    back_s: float | None = None
    healed_s: float | None = None

    @property
    def active(self) -> bool:
        """Whether it was applied and not healed."""
        return self.applied_s is not None and self.healed_s is None


class Conductor:
    """Applies and heals the occurrences of a plan.

    Args:
        note: takes records for the launcher's journal.
    """

    def __init__(
        self,
        occurrences: Sequence[Occurrence],
        hands: Hands,
        note: Callable[[records.Record], None],
        links: LinkFaults | None = None,
    ) -> None:
        self._hands, self._note, self._links = hands, note, links
        self._parts = [Part(o, peer) for o in occurrences for peer in o.concerned]
        self._began_s: float | None = None

    def begin(self, now_s: float) -> None:
        """The rounds begin."""
        self._began_s = now_s

    def at_mark(self, peer: str, round_index: int, phase: str, now_s: float) -> None:
        """A peer waits at the beginning of a phase: do what is due there, then let it go on."""
        for part in self._parts:
            heal = part.occurrence.heal
            if phase == "train" and part.active and isinstance(heal, HealAtRound):
                others_heal = part.occurrence.kind in STOPPING
                if heal.round <= round_index and (others_heal or part.peer == peer):
                    self._heal(part, now_s)
        for part in self._waiting(peer):
            trigger = part.occurrence.trigger
            if isinstance(trigger, AtRound) and (trigger.round, trigger.phase) == (
                round_index,
                phase,
            ):
                self._apply(part, now_s, 0.0)
        # Who is being stopped goes no further: the signal and the order would race.
        if not any(part.occurrence.kind in STOPPING for part in self._active(peer)):
            self._hands.order(peer, _GO_ON)

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
            fresh = part.occurrence.kind == "pause" and part.verified_s is None
            if fresh and self._hands.is_stopped(part.peer):
                self._verify(part, now_s, "the process is stopped")
            heal_s = self._heal_s(part)
            if heal_s is not None and now_s >= heal_s:
                self._heal(part, now_s)

    def on_exit(self, peer: str, code: int, now_s: float) -> None:
        """A peer's process is gone."""
        for part in self._active(peer):
            if part.occurrence.kind in _ENDING and part.verified_s is None:
                self._verify(part, now_s, f"the process ended with {code}")

    def on_ready(self, peer: str, now_s: float) -> None:
        """A later process of a peer is connected."""
        for part in self._active(peer):
            if part.back_s is not None:
                part.healed_s = now_s
                self._note(records.FaultHealed(part.occurrence.id, peer))

    def on_rule(self, peer: str, fault: str, acted: int, now_s: float) -> None:
        """A peer tells how many messages a fault touched there."""
        for part in self._parts:
            if acted and part.peer == peer and part.occurrence.id == fault and not part.verified_s:
                self._verify(part, now_s, f"{acted} messages touched")

    def expects_back(self, peer: str) -> bool:
        """Tell whether a peer that is down will be started again."""
        return any(
            self._heal_s(part) is not None or isinstance(part.occurrence.heal, HealAtRound)
            for part in self._active(peer)
            if part.occurrence.kind in _ENDING
        )

    def planned_end(self, peer: str) -> bool:
        """Tell whether a peer is gone because the plan says so."""
        return any(part.occurrence.kind in _ENDING for part in self._active(peer))

    def heal_all(self, now_s: float) -> None:
        """The run is at its end: undo what can be undone, so that everybody can finish."""
        for part in self._parts:
            if part.active and part.occurrence.kind not in _ENDING:
                self._heal(part, now_s)

    def _waiting(self, peer: str) -> Iterator[Part]:
        return (p for p in self._parts if p.peer == peer and p.applied_s is None)

    def _active(self, peer: str) -> list[Part]:
        return [part for part in self._parts if part.peer == peer and part.active]

    def _due_s(self, part: Part) -> float | None:
        """Return when the clock applies a part, None if it was, or something else does."""
        trigger = part.occurrence.trigger
        if part.applied_s is not None or self._began_s is None:
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
        ends = part.occurrence.kind in _ENDING
        if part.applied_s is None or part.back_s is not None or (ends and part.verified_s is None):
            return None
        if isinstance(heal, HealAfter):
            return part.applied_s + heal.after_s
        return None

    def _apply(self, part: Part, now_s: float, late_s: float) -> None:
        if part.occurrence.kind in STOPPING and self._hands.is_down(part.peer):
            return  # it cannot be taken down twice; the journal has no line of it
        part.applied_s = now_s
        kind, peer = part.occurrence.kind, part.peer
        self._note(records.FaultApplied(part.occurrence.id, kind, peer, round(late_s, 6)))
        if kind in STOPPING:
            self._hands.signal(peer, _SIGNALS.get(kind, signal.SIGTERM))
        elif kind in ON_MESSAGES:
            self._hands.order(peer, {"order": "rule", "rule": message_rule(part.occurrence)})
        elif self._links:
            self._links.apply(part.occurrence, now_s)
            for other in self._parts:  # the links are cut at both ends at once
                if other.occurrence.id == part.occurrence.id and other.applied_s is None:
                    other.applied_s = now_s

    def _verify(self, part: Part, now_s: float, evidence: str) -> None:
        part.verified_s = now_s
        self._note(records.FaultVerified(part.occurrence.id, part.peer, evidence))

    def _heal(self, part: Part, now_s: float) -> None:
        if part.occurrence.kind in _ENDING:
            if part.back_s is None and self._hands.is_down(part.peer):
                part.back_s = now_s
                fresh = part.occurrence.parameters.get("from") == "fresh"
                self._hands.start_again(part.peer, resume=not fresh)
            return
        if self._links and part.occurrence.kind in ON_LINKS:
            self._heal_links(part.occurrence, now_s)
            return
        part.healed_s = now_s
        if part.occurrence.kind == "pause":
            self._hands.signal(part.peer, signal.SIGCONT)
            if isinstance(part.occurrence.trigger, AtRound):
                self._hands.order(part.peer, _GO_ON)
        if part.occurrence.kind in ON_MESSAGES:
            self._hands.order(part.peer, {"order": "unrule", "id": part.occurrence.id})
        self._note(records.FaultHealed(part.occurrence.id, part.peer))

    def _heal_links(self, occurrence: Occurrence, now_s: float) -> None:
        """Heal a fault of links at once, whoever comes first; its evidence is known by then."""
        assert self._links is not None
        touched = self._links.heal(occurrence, now_s)
        for part in (p for p in self._parts if p.occurrence.id == occurrence.id and p.active):
            if touched and part.applied_s is not None:
                self._verify(part, now_s, f"{touched} packets dropped, delayed or reset")
            part.healed_s = now_s
            self._note(records.FaultHealed(occurrence.id, part.peer))
