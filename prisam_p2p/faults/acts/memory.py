"""memory: the data of the process is limited to what it has now and some MiB more."""

from __future__ import annotations

import signal

from prisam_p2p.control.messages import PeerDone, Report
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.processes.process_acts import CAN_LIMIT_MEMORY

_OTHER_ENDS = frozenset({0, -signal.SIGKILL, -signal.SIGTERM})
"""Exit codes that do not come from a lack of memory."""


class LimitMemory(Act):
    """Sets RLIMIT_DATA of the process from outside: the kernel refuses allocations beyond it.

    A peer that needs more ends, out of memory, and keeps the limit. A peer that stays within the
    limit is no evidence that the fault bit.
    """

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._numbers: dict[Firing, int] = {}

    @staticmethod
    def missing_here() -> str | None:
        """See Act."""
        return None if CAN_LIMIT_MEMORY else "a system that limits another process (Linux)"

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        number = self._peers.number(firing.peer)
        if number is None:
            return False
        self._peers.acts.limit_memory(number, float(str(firing.occurrence.parameters["mib"])))
        self._numbers[firing] = number
        return True

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        limit_mib = self._limit_mib(firing)
        if report != PeerDone("out-of-memory") or not firing.active or limit_mib is None:
            return None
        return f"out of memory with {limit_mib:.1f} MiB of data"

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act. Some libraries abort when an allocation is refused."""
        if code in _OTHER_ENDS or self._limit_mib(firing) is None:
            return None
        return f"the process ended with {code} at its limit"

    def explains_end(self, firing: Firing) -> bool:
        """See Act."""
        return firing.verified_s is not None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if firing.verified_s is not None:
            return False
        self._peers.acts.lift_memory_limit(self._numbers[firing])
        return True

    def _limit_mib(self, firing: Firing) -> float | None:
        return self._peers.acts.memory_limit(self._numbers[firing])
