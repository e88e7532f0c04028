"""An occurrence of a fault at one peer, and what became of it there."""

from __future__ import annotations

from dataclasses import dataclass

from prisam_p2p.control.spec import Stop
from prisam_p2p.faults.fault_plan import AtTransfer, Occurrence
from prisam_p2p.faults.kinds import FaultKind


@dataclass(eq=False)
class Firing:
    """Times are seconds of the run's clock; None = not yet.

    Attributes:
        missed: it was due, and the peer was down or guarded.
        back_s: when its heal began, where that takes a while because a process starts.
    """

    occurrence: Occurrence
    peer: str
    missed: bool = False
    applied_s: float | None = None
    verified_s: float | None = None
    back_s: float | None = None
    healed_s: float | None = None

    @property
    def kind(self) -> str:
        """The kind of the fault."""
        return self.occurrence.kind

    @property
    def traits(self) -> FaultKind:
        """The row of its kind."""
        return self.occurrence.traits

    @property
    def active(self) -> bool:
        """Whether it was applied and not healed."""
        return self.applied_s is not None and self.healed_s is None

    def waits_for(self, stop: Stop) -> bool:
        """Tell whether the first transfer of this peer that reaches `stop` triggers it."""
        trigger, donors = self.occurrence.trigger, self.occurrence.donors
        at = isinstance(trigger, AtTransfer) and (trigger.round, trigger.share) == stop
        return at and self.peer in donors and self.applied_s is None

    @property
    def keeps_down(self) -> bool:
        """Whether its peer is down because of it, or absent until it is applied."""
        absent = self.traits.starts_absent and self.applied_s is None
        return absent or (self.traits.takes_down and self.active)

    @property
    def settled(self) -> bool:
        """Whether waiting peers may proceed: a peer that it takes down is down."""
        over = self.verified_s is not None or self.healed_s is not None
        return over or not self.traits.takes_down
