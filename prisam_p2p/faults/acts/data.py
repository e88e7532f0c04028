"""drift and replace: a peer loads its images by itself, in the round that its spec names."""

from __future__ import annotations

from prisam_p2p.control.messages import Report, TrainedOnNewData
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.acts.lifecycle import Join
from prisam_p2p.faults.fault_plan import AtRound
from prisam_p2p.faults.firing import Firing


class ChangeData(Act):
    """A data order: nothing is sent, because the spec of each process of the peer has it.

    So it takes effect in the same round, also on a process that starts later. The evidence is that
    the peer has trained on images that it did not have before.
    """

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act. A peer that is down takes the images when it is back; not one that is done."""
        trigger = firing.occurrence.trigger
        assert isinstance(trigger, AtRound), "checked when the scenario was read"
        return not self._peers.is_past(firing.peer, trigger.round)

    def applied_by_peer(self, firing: Firing, report: Report) -> bool:
        """See Act."""
        return isinstance(report, TrainedOnNewData) and report.fault == firing.occurrence.id

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case TrainedOnNewData(t, fault, group, images, new) if fault == firing.occurrence.id:
                of = f"{new} of {images} training images were new, most are of data group {group}"
                return f"it trained in round {t}: {of}" if new else None
        return None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act. The peer loads what it had before, in the round that its spec names."""
        return True


class TakePlace(Join):
    """Starts a new device in the place of one that leaves at the same barrier.

    The evidence is that it has trained on images of its own, which its predecessor did not have.
    """

    def on_ready(self, firing: Firing) -> str | None:
        """See Act. That it is there does not show yet whose images it has."""
        return None

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case TrainedOnNewData(t, fault, _, images, new) if fault == firing.occurrence.id:
                its = f"{new} of its {images} training images are not its predecessor's"
                return f"it trained in round {t}: {its}" if new else None
        return None
