"""full-disk: the peer's checkpoint cannot be written, because no space is left."""

from __future__ import annotations

import contextlib
from pathlib import Path

from prisam_p2p.control.messages import Report, StateLost
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.measure.files import path_beside

FULL = Path("/dev/full")
"""A device for which the kernel refuses every write: no space left."""


class FillDisk(Act):
    """Links the temporary file of the peer's state to /dev/full."""

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._symlinks: dict[Firing, set[Path]] = {}

    @staticmethod
    def missing_here() -> str | None:
        """See Act."""
        return None if FULL.exists() else f"a system with {FULL}"

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._symlinks[firing] = set()
        self.on_tick(firing, now_s, paused=False)
        return True

    def on_tick(self, firing: Firing, now_s: float, paused: bool) -> None:
        """See Act. Each process has a temporary file of its own name."""
        pid = self._peers.pid(firing.peer)
        if pid is None:
            return
        beside = path_beside(self._peers.state_path(firing.peer), pid)
        if beside not in self._symlinks[firing]:
            with contextlib.suppress(
                FileExistsError
            ):  # it is being written now: tried again at the next tick
                beside.symlink_to(FULL)
                self._symlinks[firing].add(beside)

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case StateLost(round_index, reason):
                return f"state of round {round_index}: {reason}"
        return None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        for beside in self._symlinks[firing]:
            beside.unlink(missing_ok=True)
        return True
