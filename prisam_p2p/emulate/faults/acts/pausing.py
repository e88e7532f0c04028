"""pause: the process is stopped; healed, it goes on."""

from __future__ import annotations

import signal

from prisam_p2p.emulate.faults.acts.act import Act
from prisam_p2p.emulate.faults.part import Part


class Pausing(Act):
    """SIGSTOP and SIGCONT."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        self._hands.signal(part.peer, signal.SIGSTOP)
        return True

    def look(self, part: Part, now_s: float) -> str | None:
        """See Act."""
        return "the process is stopped" if self._hands.is_stopped(part.peer) else None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        self._hands.signal(part.peer, signal.SIGCONT)
        return True
