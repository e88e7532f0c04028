"""full-disk: the peer's checkpoint cannot be written, for want of space."""

from __future__ import annotations

import contextlib
from pathlib import Path

from prisam_p2p.control.messages import Report, StateLost
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.link_faults import LinkFaults
from prisam_p2p.measure.files import path_beside

FULL = Path("/dev/full")
"""A device on which the kernel never has space."""


class FullDisk(Act):
    """What is written beside the state leads to /dev/full: the kernel refuses the first byte."""

    def __init__(self, hands: Hands, links: LinkFaults | None) -> None:
        super().__init__(hands, links)
        self._links_made: dict[Part, set[Path]] = {}

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        self._links_made[part] = set()
        self.keep(part, now_s, paused=False)
        return True

    def keep(self, part: Part, now_s: float, paused: bool) -> None:
        """See Act. A later process writes to another name, and to a file of before it may yet."""
        pid = self._hands.pid(part.peer)
        if pid is None:
            return
        beside = path_beside(self._hands.state_path(part.peer), pid)
        if beside not in self._links_made[part]:
            with contextlib.suppress(FileExistsError):  # it is being written just now
                beside.symlink_to(FULL)
                self._links_made[part].add(beside)

    def told(self, part: Part, report: Report) -> str | None:
        """See Act."""
        match report:
            case StateLost(round_index, reason):
                return f"state of round {round_index}: {reason}"
        return None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        for beside in self._links_made[part]:
            beside.unlink(missing_ok=True)
        return True
