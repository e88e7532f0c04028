"""An occurrence of a fault at one peer, and what became of it there."""

from __future__ import annotations

from dataclasses import dataclass

from prisam_p2p.control.spec import Stop
from prisam_p2p.faults.fault_plan import AtTransfer, Occurrence
from prisam_p2p.faults.kinds import STOPPING


@dataclass(eq=False)
class Part:
    """Times are seconds of the run's clock, None = not yet.

    Attributes:
        missed: it was due, and there was nobody to do it to.
        back_s: when it began to be undone, where that takes a while: a new process starts.
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
        """The fault's."""
        return self.occurrence.kind

    @property
    def active(self) -> bool:
        """Whether it was applied and not healed."""
        return self.applied_s is not None and self.healed_s is None

    def waits_for(self, stop: Stop) -> bool:
        """Tell whether a transfer of this peer that stops there triggers it, and none did."""
        trigger, donors = self.occurrence.trigger, self.occurrence.donors
        at = isinstance(trigger, AtTransfer) and (trigger.round, trigger.share) == stop
        return at and self.peer in donors and self.applied_s is None

    @property
    def keeps_down(self) -> bool:
        """Whether its peer is down because of it, or not there yet."""
        absent = self.kind == "join" and self.applied_s is None
        return absent or (self.kind in STOPPING and self.active)

    @property
    def settled(self) -> bool:
        """Whether others may go on: who is to be down is."""
        over = self.verified_s is not None or self.healed_s is not None
        return self.kind not in STOPPING or over
