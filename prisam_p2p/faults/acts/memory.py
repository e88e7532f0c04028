"""memory: the process may allocate so much more, and no more."""

from __future__ import annotations

import contextlib
import signal

import psutil

from prisam_p2p.control.messages import PeerDone, Report
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Part
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.link_faults import LinkFaults
from prisam_p2p.system.process_limits import MIB, data_bytes

_TAKEN_AWAY = frozenset({0, -signal.SIGKILL, -signal.SIGTERM})
"""A process that ends so did not end for want of memory."""


class Memory(Act):
    """A limit on the data of the process, set from outside: the kernel refuses what is more.

    A peer for which that is too little ends, out of memory; the limit is then not lifted. One that
    stays within it was not bitten.
    """

    def __init__(self, hands: Hands, links: LinkFaults | None) -> None:
        super().__init__(hands, links)
        self._before: dict[Part, tuple[int, int, int]] = {}

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        pid = self._hands.pid(part.peer)
        now_bytes = data_bytes(pid) if pid is not None else None
        if pid is None or now_bytes is None:
            return False
        soft, hard = _limit(pid)
        limit = now_bytes + int(str(part.occurrence.parameters["mib"])) * MIB
        _set_limit(pid, limit if soft == psutil.RLIM_INFINITY else min(soft, limit), hard)
        self._before[part] = (pid, soft, hard)
        return True

    def told(self, part: Part, report: Report) -> str | None:
        """See Act."""
        out = report == PeerDone("out-of-memory")
        return f"out of memory with {self._limit_of(part)}" if out and part.active else None

    def ended(self, part: Part, code: int) -> str | None:
        """See Act. Not every library survives an allocation that is refused."""
        return None if code in _TAKEN_AWAY else f"the process ended with {code} at its limit"

    def explains_end(self, part: Part) -> bool:
        """See Act."""
        return part.verified_s is not None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if part.verified_s is not None:
            return False
        pid, soft, hard = self._before[part]
        if pid == self._hands.pid(part.peer):
            _set_limit(pid, soft, hard)
        return True

    def _limit_of(self, part: Part) -> str:
        with contextlib.suppress(psutil.NoSuchProcess):
            return f"{_limit(self._before[part][0])[0] / MIB:.1f} MiB of data"
        return "its limit"


def _limit(pid: int) -> tuple[int, int]:
    soft, hard = psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)
    return soft, hard


def _set_limit(pid: int, soft: int, hard: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).rlimit(psutil.RLIMIT_DATA, (soft, hard))
