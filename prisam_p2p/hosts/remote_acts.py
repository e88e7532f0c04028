"""What faults do to processes on other hosts: orders to their agents, and evidence that comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prisam_p2p.hosts.messages import ActDone, ActOn, ProcessStopped
from prisam_p2p.processes.throttle import Throttled


class RemoteProcessActs:
    """See ProcessActs. The agents look at their processes, so `look` does nothing here.

    Args:
        tell: sends an order to the host of the process that it names.
    """

    def __init__(self, tell: Callable[[ActOn], object]) -> None:
        self._tell = tell
        self._stopped: set[int] = set()
        self._limits: dict[int, float] = {}
        self._throttled: dict[int, Throttled] = {}

    def note_stopped(self, report: ProcessStopped) -> None:
        """A SIGSTOP has taken effect, or a SIGCONT after it."""
        (self._stopped.add if report.stopped else self._stopped.discard)(report.number)

    def note_done(self, report: ActDone) -> None:
        """Take evidence in."""
        match report.act, report.evidence:
            case "limit-memory", {"limit_mib": limit_mib}:
                self._limits[report.number] = limit_mib
            case "end-throttle", {"watched_s": watched_s, "suspended_s": suspended_s}:
                self._throttled[report.number] = Throttled(watched_s, suspended_s)

    def note_exit(self, number: int) -> None:
        """A process has ended: it is not stopped any more."""
        self._stopped.discard(number)

    def is_stopped(self, number: int) -> bool:
        """See ProcessActs."""
        return number in self._stopped

    def limit_memory(self, number: int, mib: float) -> None:
        """See ProcessActs."""
        self._limits.pop(number, None)
        self._tell(ActOn(number, "limit-memory", mib))

    def lift_memory_limit(self, number: int) -> None:
        """See ProcessActs."""
        self._tell(ActOn(number, "lift-memory-limit"))

    def memory_limit(self, number: int) -> float | None:
        """See ProcessActs."""
        return self._limits.get(number)

    def throttle(self, number: int, factor: float) -> None:
        """See ProcessActs."""
        self._throttled.pop(number, None)
        self._tell(ActOn(number, "throttle", factor))

    def end_throttle(self, number: int) -> None:
        """See ProcessActs."""
        self._tell(ActOn(number, "end-throttle"))

    def throttled(self, number: int) -> Throttled | None:
        """See ProcessActs."""
        return self._throttled.get(number)

    def refuse_state(self, number: int, _path: Path) -> None:
        """See ProcessActs. The agent knows where the state is on its host."""
        self._tell(ActOn(number, "refuse-state"))

    def accept_state(self, number: int) -> None:
        """See ProcessActs."""
        self._tell(ActOn(number, "accept-state"))

    def look(self, _now_s: float) -> None:
        """See ProcessActs."""
