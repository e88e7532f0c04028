"""full-disk: the peer's checkpoint cannot be written, because no space is left."""

from __future__ import annotations

from prisam_p2p.control.messages import Report, StateLost
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.processes.process_acts import FULL


class FillDisk(Act):
    """Links the temporary file of the peer's state to /dev/full."""

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._numbers: dict[Firing, set[int]] = {}

    @staticmethod
    def missing_here() -> str | None:
        """See Act."""
        return None if FULL.exists() else f"a system with {FULL}"

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._numbers[firing] = set()
        self.on_tick(firing)
        return True

    def on_tick(self, firing: Firing) -> None:
        """See Act. Each process has a temporary file of its own name."""
        number, refused = self._peers.number(firing.peer), self._numbers[firing]
        if number is not None and number not in refused:
            self._peers.acts.refuse_state(number, self._peers.state_path(firing.peer))
            refused.add(number)

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case StateLost(round_index, reason):
                return f"state of round {round_index}: {reason}"
        return None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        for number in self._numbers[firing]:
            self._peers.acts.accept_state(number)
        return True
