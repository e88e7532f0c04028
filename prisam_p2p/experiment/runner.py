"""Runs cells, as many at once as cores and memory allow, and stops them cleanly when asked."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.admission import Need, Pending, left_s, may_start
from prisam_p2p.experiment.child import Child, start
from prisam_p2p.experiment.identity import Resolved
from prisam_p2p.experiment.progress import Observer, View, duration
from prisam_p2p.experiment.store import SOUND, CellFolder, Ending, State

_TICK_S = 1.0
MIB = 2**20


@dataclass(frozen=True)
class Job:
    """A cell and its folder."""

    resolved: Resolved
    folder: CellFolder

    @property
    def name(self) -> str:
        """The cell's."""
        return self.resolved.cell.name

    def done(self) -> bool:
        """Whether its run is there, whole."""
        return self.folder.state(self.resolved) is State.DONE


@dataclass
class Learned:
    """What the cells that are done tell of the others."""

    durations_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory_mib: dict[str, float] = field(default_factory=dict)

    def add(self, ending: Ending) -> None:
        """Take in how a cell ended."""
        if ending.exit_code in SOUND and not ending.resumed:
            self.durations_s[ending.kind].append(ending.wall_s)
        if ending.memory_mib is not None:
            most = max(ending.memory_mib, self.memory_mib.get(ending.kind, 0.0))
            self.memory_mib[ending.kind] = most

    def need(self, resolved: Resolved) -> Need:
        """Return what a cell takes."""
        return Need(resolved.busy_cores, self.memory_mib.get(resolved.kind))


@dataclass(frozen=True)
class Outcome:
    """What running cells came to: names, with why for those that failed."""

    done: list[str]
    failed: dict[str, str]
    interrupted: bool


class Runner:
    """Runs the jobs that are not done.

    Args:
        jobs: the user's word on how many at once, None: as fits.
        stopping: tells whether the user wants it to end.
        lock: descriptor that holds the experiment's folder.
    """

    def __init__(
        self,
        jobs: int | None,
        keep_models: bool,
        observer: Observer,
        stopping: Callable[[], bool],
        lock: int,
    ) -> None:
        self._jobs, self._keep_models, self._lock = jobs, keep_models, lock
        self._observer, self._stopping = observer, stopping
        self._learned = Learned()
        self._running: list[Child] = []
        self._free_mib = self._least_mib = 0.0
        self._was_alone = True

    def run(self, jobs: Sequence[Job], phase: str) -> Outcome:
        """Run what is not done of `jobs`, in their order; a failed cell does not stop the others.

        Raises:
            ConfigError: a whole run of another cell is where one of these would be.
        """
        done = [job.name for job in jobs if job.done()]
        for job in jobs:
            ending = job.folder.ending()
            if ending:
                self._learned.add(ending)
        waiting = [job for job in jobs if job.name not in set(done)]
        failed: dict[str, str] = {}
        try:
            while (waiting or self._running) and not self._stopping():
                self._start_what_fits(waiting)
                for child in self._ended():
                    name = child.resolved.cell.name
                    if _cannot_go_on(child):
                        self._observer.say(f"{name}: begins anew: {_last_words(child)}")
                        child.folder.clear()
                        waiting.insert(0, Job(child.resolved, child.folder))
                        continue
                    reason = self._close(child)
                    if reason is None:
                        done.append(name)
                    else:
                        failed[name] = reason
                    self._observer.show(self._view(phase, len(jobs), done, failed, waiting))
                    took = duration(child.elapsed_s)
                    self._observer.say(f"{name}: {reason or 'done'}, {took}")
                self._observer.show(self._view(phase, len(jobs), done, failed, waiting))
        finally:
            self._stop_all()
        return Outcome(done, failed, self._stopping())

    def _start_what_fits(self, waiting: list[Job]) -> None:
        while waiting:
            if not self._running:
                self._free_mib = self._least_mib = _available_mib()
                self._was_alone = True
            needs = [self._learned.need(child.resolved) for child in self._running]
            new = self._learned.need(waiting[0].resolved)
            if not may_start(needs, new, host_cores(), self._free_mib, self._jobs):
                return
            job = waiting.pop(0)
            self._was_alone = not self._running
            self._running.append(start(job.resolved, job.folder, self._lock))

    def _ended(self) -> list[Child]:
        """Return the children that have ended, after a moment's wait for one."""
        processes = {child.process: child for child in self._running}
        gone, _ = psutil.wait_procs(list(processes), timeout=_TICK_S)
        self._least_mib = min(self._least_mib, _available_mib())
        ended = [processes[process] for process in gone]
        self._running = [child for child in self._running if child not in ended]
        return ended

    def _close(self, child: Child) -> str | None:
        """Note how a cell ended; return why it failed, None if it did not."""
        code = child.process.wait()
        taken = round(self._free_mib - self._least_mib, 1) if self._was_alone else None
        took_s = round(child.elapsed_s, 3)
        ending = Ending(child.resolved.kind, code, took_s, taken, child.resumed)
        child.folder.end(child.resolved, ending, self._keep_models)
        self._learned.add(ending)
        if code in SOUND:
            return None
        return f"exit code {code}: {_last_words(child)}"

    def _stop_all(self) -> None:
        for child in self._running:
            child.interrupt()
        for child in self._running:
            child.wait_or_kill()
        self._running = []

    def _view(
        self,
        phase: str,
        cells: int,
        done: Sequence[str],
        failed: dict[str, str],
        waiting: Sequence[Job],
    ) -> View:
        shares = {child.resolved.cell.name: child.share() for child in self._running}
        pending = [
            Pending(c.resolved.kind, c.elapsed_s, shares[c.resolved.cell.name])
            for c in self._running
        ]
        pending += [Pending(job.resolved.kind) for job in waiting]
        at_once = max(1, len(self._running))
        rest_s = left_s(pending, self._learned.durations_s, at_once)
        return View(phase, cells, len(done), len(failed), shares, rest_s)


def _cannot_go_on(child: Child) -> bool:
    """Tell whether what a cut-off run left was refused: too little of it, or of other code."""
    return child.resumed and child.process.wait() == ConfigError.exit_code


def _last_words(child: Child) -> str:
    return " ".join(child.folder.last_lines(1))


def _available_mib() -> float:
    return float(psutil.virtual_memory().available) / MIB


def host_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def job_of(resolved: Resolved, out: Path) -> Job:
    """Return a cell with its folder in `out`."""
    return Job(resolved, CellFolder(out / resolved.cell.name))
