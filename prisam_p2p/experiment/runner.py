"""Run cells, as many at a time as cores and memory allow, and stop them cleanly on request."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.admission import Need, may_start
from prisam_p2p.experiment.cell_folder import SOUND, CellEnding, CellFolder, CellState
from prisam_p2p.experiment.cell_process import CellProcess, start
from prisam_p2p.experiment.code_digest import other_code, present_code
from prisam_p2p.experiment.durations import Pending, left_s
from prisam_p2p.experiment.progress import GridObserver, GridProgress, duration
from prisam_p2p.experiment.resolved_cell import ResolvedCell

_TICK_S = 1.0
MIB = 2**20


@dataclass(frozen=True)
class Job:
    """A cell and its folder.

    Attributes:
        rerun_stale: a run that other code made counts for nothing, and is run anew.
    """

    resolved: ResolvedCell
    folder: CellFolder
    rerun_stale: bool = False

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.resolved.cell.name

    def done(self) -> bool:
        """Tell whether its run is finished."""
        return not self.begins_anew() and self.folder.state(self.resolved) is CellState.DONE

    def begins_anew(self) -> bool:
        """Tell whether the run in the folder is to be removed, as other code made it."""
        return self.rerun_stale and self.folder.stale()


@dataclass
class CellHistory:
    """Durations and memory of finished cells by kind, to predict those of other cells."""

    durations_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory_mib: dict[str, float] = field(default_factory=dict)

    def add(self, ending: CellEnding) -> None:
        """Add a finished cell."""
        if ending.exit_code in SOUND and not ending.resumed:
            self.durations_s[ending.kind].append(ending.wall_s)
        if ending.memory_mib is not None:
            most = max(ending.memory_mib, self.memory_mib.get(ending.kind, 0.0))
            self.memory_mib[ending.kind] = most

    def need(self, resolved: ResolvedCell) -> Need:
        """Return the resources that a cell needs."""
        return Need(resolved.busy_cores, self.memory_mib.get(resolved.kind))


@dataclass(frozen=True)
class CellOutcomes:
    """The result of running cells.

    Attributes:
        done: names of finished cells.
        failed: name -> reason.
        interrupted: whether the user stopped it.
    """

    done: list[str]
    failed: dict[str, str]
    interrupted: bool


class Runner:
    """Runs the jobs that are not done.

    Args:
        jobs: the most cells at a time; None = as many as cores and memory allow.
        stopping: tells whether the user has asked to stop.
        lock: the descriptor that locks the experiment's folder.
    """

    def __init__(
        self,
        jobs: int | None,
        keep_models: bool,
        observer: GridObserver,
        stopping: Callable[[], bool],
        lock: int,
    ) -> None:
        self._jobs, self._keep_models, self._lock = jobs, keep_models, lock
        self._observer, self._stopping = observer, stopping
        self._learned = CellHistory()
        self._told: set[Path] = set()
        self._running: list[CellProcess] = []
        self._free_mib = self._least_mib = 0.0
        self._was_alone = True

    def run(self, jobs: Sequence[Job], phase: str) -> CellOutcomes:
        """Run those of `jobs` that are not done, in order; a failed cell does not stop the others.

        Raises:
            ConfigError: a folder holds a finished run of a different cell.
        """
        done = [job.name for job in jobs if job.done()]
        for job in jobs:
            ending = job.folder.ending()
            if ending:
                self._learned.add(ending)
        for job in jobs:
            told = other_code(job.folder.digests(), present_code()) if job.name in done else None
            if told and job.folder.path not in self._told:
                self._told.add(job.folder.path)
                self._observer.say(f"{job.folder.path}: {told}")
        waiting = [job for job in jobs if job.name not in set(done)]
        failed: dict[str, str] = {}
        try:
            while (waiting or self._running) and not self._stopping():
                self._start_what_fits(waiting)
                for child in self._ended():
                    name = child.resolved.cell.name
                    if _could_not_resume(child):
                        self._observer.say(f"{name}: starts again: {_last_line(child)}")
                        child.folder.clear()
                        waiting.insert(0, Job(child.resolved, child.folder))
                        continue
                    reason = self._close(child)
                    if reason is None:
                        done.append(name)
                    else:
                        failed[name] = reason
                    self._observer.show(self._progress(phase, len(jobs), done, failed, waiting))
                    took = duration(child.elapsed_s)
                    self._observer.say(f"{name}: {reason or 'done'}, {took}")
                self._observer.show(self._progress(phase, len(jobs), done, failed, waiting))
        finally:
            self._stop_all()
        return CellOutcomes(done, failed, self._stopping())

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
            if job.begins_anew():
                job.folder.clear()
            self._was_alone = not self._running
            self._running.append(start(job.resolved, job.folder, self._lock))

    def _ended(self) -> list[CellProcess]:
        """Wait for up to _TICK_S, and return the cells that have ended."""
        processes = {child.process: child for child in self._running}
        gone, _ = psutil.wait_procs(list(processes), timeout=_TICK_S)
        self._least_mib = min(self._least_mib, _available_mib())
        ended = [processes[process] for process in gone]
        self._running = [child for child in self._running if child not in ended]
        return ended

    def _close(self, child: CellProcess) -> str | None:
        """Record how a cell ended; return the reason if it failed, else None."""
        code = child.process.wait()
        taken = round(self._free_mib - self._least_mib, 1) if self._was_alone else None
        took_s = round(child.elapsed_s, 3)
        ending = CellEnding(child.resolved.kind, code, took_s, taken, child.resumed)
        child.folder.end(child.resolved, ending, self._keep_models)
        self._learned.add(ending)
        if code in SOUND:
            return None
        return f"exit code {code}: {_last_line(child)}"

    def _stop_all(self) -> None:
        for child in self._running:
            child.interrupt()
        for child in self._running:
            child.wait_or_kill()
        self._running = []

    def _progress(
        self,
        phase: str,
        cells: int,
        done: Sequence[str],
        failed: dict[str, str],
        waiting: Sequence[Job],
    ) -> GridProgress:
        shares = {child.resolved.cell.name: child.share() for child in self._running}
        pending = [
            Pending(c.resolved.kind, c.elapsed_s, shares[c.resolved.cell.name])
            for c in self._running
        ]
        pending += [Pending(job.resolved.kind) for job in waiting]
        at_once = max(1, len(self._running))
        rest_s = left_s(pending, self._learned.durations_s, at_once)
        return GridProgress(phase, cells, len(done), len(failed), shares, rest_s)


def _could_not_resume(child: CellProcess) -> bool:
    """Tell whether an interrupted run was refused, as incomplete or as made by other code."""
    return child.resumed and child.process.wait() == ConfigError.exit_code


def _last_line(child: CellProcess) -> str:
    return " ".join(child.folder.last_lines(1))


def _available_mib() -> float:
    return float(psutil.virtual_memory().available) / MIB


def host_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def job_of(resolved: ResolvedCell, out: Path, rerun_stale: bool = False) -> Job:
    """Return the job of a cell whose folder is in `out`."""
    return Job(resolved, CellFolder(out / resolved.cell.name), rerun_stale)
