"""What a fault does to the process of a peer, besides ending it: on this host, or on another.

A process is named by its engine's number (engine.py). Nothing here waits: what was asked for takes
effect at once on this host, and later on another; so evidence is asked for again until it is there.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from prisam_p2p.measure.files import path_beside
from prisam_p2p.processes.throttle import Throttle, Throttled
from prisam_p2p.system.process_limits import MIB, data_bytes

CAN_LIMIT_MEMORY = hasattr(resource, "prlimit")
FULL = Path("/dev/full")
"""A device for which the kernel refuses every write: no space left."""


class ProcessActs(Protocol):
    """Acts on the processes of an engine. What is asked of one that has ended does nothing."""

    def is_stopped(self, number: int) -> bool:
        """Tell whether a SIGSTOP has taken effect on a process."""

    def limit_memory(self, number: int, mib: float) -> None:
        """Limit the data of a process to what it has now and `mib` MiB more."""

    def lift_memory_limit(self, number: int) -> None:
        """Give a process the limit that it had before."""

    def memory_limit(self, number: int) -> float | None:
        """Return the limit that `limit_memory` has set, in MiB; None = none was set so far."""

    def throttle(self, number: int, factor: float) -> None:
        """Let a process run for a fraction of the time: SIGSTOP and SIGCONT, many times a second.

        While a SIGSTOP of the engine's `signal` holds it, it stays stopped, and no time counts.

        Args:
            factor: in (0, 1).
        """

    def end_throttle(self, number: int) -> None:
        """Let a process run freely again."""

    def throttled(self, number: int) -> Throttled | None:
        """Return the figures of a throttle that has ended; None = there are none so far."""

    def refuse_state(self, number: int, path: Path) -> None:
        """Let a process find no space left on the disk when it writes its state to `path`."""

    def accept_state(self, number: int) -> None:
        """Let it write its state again. The process may have ended."""

    def look(self, now_s: float) -> None:
        """Go on with what was begun; whoever has the engine calls it many times a second.

        Args:
            now_s: the monotonic clock.
        """


@dataclass
class _Acted:
    """What was done to a process.

    Attributes:
        held: by a SIGSTOP that no throttle sent.
        suspended: by the last signal that its throttle sent.
        limits: of its data, the latest last: soft and hard before, and the soft one set, in bytes.
        refused: where its state is to find no space left; None = nowhere.
        links: what refuses it.
    """

    held: bool = False
    throttle: Throttle | None = None
    suspended: bool = False
    throttled: Throttled | None = None
    limits: list[tuple[int, int, int]] = field(default_factory=list)
    refused: Path | None = None
    links: list[Path] = field(default_factory=list)


class LocalProcessActs:
    """Acts on processes of this host. See ProcessActs.

    Args:
        pid_of: returns the pid of a process, None once it has ended.
        send: signals a process; does nothing if it has ended.
    """

    def __init__(
        self, pid_of: Callable[[int], int | None], send: Callable[[int, int], object]
    ) -> None:
        self._pid_of, self._send = pid_of, send
        self._acted: dict[int, _Acted] = {}
        self._looked_s = time.monotonic()

    def signal(self, number: int, signum: int) -> None:
        """Signal a process for its engine, and remember whether that holds it."""
        if signum in (signal.SIGSTOP, signal.SIGCONT):
            acted = self._of(number)
            acted.held, acted.suspended = signum == signal.SIGSTOP, False
        self._send(number, signum)

    def is_stopped(self, number: int) -> bool:
        """See ProcessActs."""
        pid = self._pid_of(number)
        with suppress(psutil.NoSuchProcess):
            return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
        return False

    def look(self, now_s: float) -> None:
        """See ProcessActs."""
        self._looked_s = now_s
        for number, acted in self._acted.items():
            if acted.throttle:
                self._keep_throttled(number, acted, acted.throttle, now_s)
            if acted.refused:
                self._keep_refused(number, acted, acted.refused)

    @property
    def goes_on(self) -> bool:
        """Whether the next look has something to do."""
        return any(each.throttle or each.refused for each in self._acted.values())

    # -- memory --------------------------------------------------------------------------

    def limit_memory(self, number: int, mib: float) -> None:
        """See ProcessActs."""
        pid = self._pid_of(number)
        now_bytes = None if pid is None else data_bytes(pid)
        if pid is None or now_bytes is None:
            return
        with suppress(ProcessLookupError):
            soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            limit = now_bytes + int(mib * MIB)
            limit = limit if soft == resource.RLIM_INFINITY else min(soft, limit)
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit, hard))
            self._of(number).limits.append((soft, hard, limit))

    def lift_memory_limit(self, number: int) -> None:
        """See ProcessActs. Of several limits the last is lifted: all are once each is."""
        pid, limits = self._pid_of(number), self._of(number).limits
        if pid is not None and limits:
            soft, hard, _ = limits.pop()
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_DATA, (soft, hard))

    def memory_limit(self, number: int) -> float | None:
        """See ProcessActs."""
        limits = self._of(number).limits
        return limits[-1][2] / MIB if limits else None

    # -- throttle ------------------------------------------------------------------------

    def throttle(self, number: int, factor: float) -> None:
        """See ProcessActs. It begins at the last look."""
        acted = self._of(number)
        acted.throttle, acted.throttled = Throttle(factor, self._looked_s), None

    def end_throttle(self, number: int) -> None:
        """See ProcessActs."""
        acted = self._of(number)
        if acted.throttle:
            acted.throttled, acted.throttle = acted.throttle.figures, None
            if acted.suspended:
                acted.suspended = False
                self._send(number, signal.SIGCONT)

    def throttled(self, number: int) -> Throttled | None:
        """See ProcessActs."""
        return self._of(number).throttled

    def _keep_throttled(self, number: int, acted: _Acted, throttle: Throttle, now_s: float) -> None:
        if acted.held or self._pid_of(number) is None:
            throttle.skip(now_s)
            return
        suspend = throttle.look(now_s, self.is_stopped(number))
        if suspend != acted.suspended:
            self._send(number, signal.SIGSTOP if suspend else signal.SIGCONT)
            acted.suspended = suspend

    # -- full disk -----------------------------------------------------------------------

    def refuse_state(self, number: int, path: Path) -> None:
        """See ProcessActs. The temporary file of the state becomes a link to /dev/full."""
        acted = self._of(number)
        acted.refused = path
        self._keep_refused(number, acted, path)

    def accept_state(self, number: int) -> None:
        """See ProcessActs."""
        acted = self._of(number)
        acted.refused, links, acted.links = None, acted.links, []
        for link in links:
            link.unlink(missing_ok=True)

    def _keep_refused(self, number: int, acted: _Acted, path: Path) -> None:
        pid = self._pid_of(number)
        if pid is not None and not acted.links:
            beside = path_beside(path, pid)
            with suppress(FileExistsError):  # it is being written now: the next look tries again
                beside.symlink_to(FULL)
                acted.links.append(beside)

    def _of(self, number: int) -> _Acted:
        return self._acted.setdefault(number, _Acted())
