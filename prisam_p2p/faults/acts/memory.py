"""memory: the data of the process is limited to what it has now and some MiB more."""

from __future__ import annotations

import contextlib
import signal

import psutil

from prisam_p2p.control.messages import PeerDone, Report
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Firing
from prisam_p2p.faults.links.network_link_faults import LinkFaults
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.system.process_limits import MIB, data_bytes

_OTHER_ENDS = frozenset({0, -signal.SIGKILL, -signal.SIGTERM})
"""Exit codes that do not come from a lack of memory."""


class LimitMemory(Act):
    """Sets RLIMIT_DATA of the process from outside: the kernel refuses allocations beyond it.

    A peer that needs more ends, out of memory, and keeps the limit. A peer that stays within the
    limit is no evidence that the fault bit.
    """

    def __init__(self, peers: PeerControl, links: LinkFaults | None) -> None:
        super().__init__(peers, links)
        self._before: dict[Firing, tuple[int, int, int]] = {}

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        pid = self._peers.pid(firing.peer)
        now_bytes = data_bytes(pid) if pid is not None else None
        if pid is None or now_bytes is None:
            return False
        soft, hard = _limit(pid)
        limit = now_bytes + int(str(firing.occurrence.parameters["mib"])) * MIB
        _set_limit(pid, limit if soft == psutil.RLIM_INFINITY else min(soft, limit), hard)
        self._before[firing] = (pid, soft, hard)
        return True

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        out = report == PeerDone("out-of-memory")
        return f"out of memory with {self._limit_of(firing)}" if out and firing.active else None

    def on_exit(self, firing: Firing, code: int) -> str | None:
        """See Act. Some libraries abort when an allocation is refused."""
        return None if code in _OTHER_ENDS else f"the process ended with {code} at its limit"

    def explains_end(self, firing: Firing) -> bool:
        """See Act."""
        return firing.verified_s is not None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if firing.verified_s is not None:
            return False
        pid, soft, hard = self._before[firing]
        if pid == self._peers.pid(firing.peer):
            _set_limit(pid, soft, hard)
        return True

    def _limit_of(self, firing: Firing) -> str:
        with contextlib.suppress(psutil.NoSuchProcess):
            return f"{_limit(self._before[firing][0])[0] / MIB:.1f} MiB of data"
        return "its limit"


def _limit(pid: int) -> tuple[int, int]:
    soft, hard = psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)
    return soft, hard


def _set_limit(pid: int, soft: int, hard: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).rlimit(psutil.RLIMIT_DATA, (soft, hard))
