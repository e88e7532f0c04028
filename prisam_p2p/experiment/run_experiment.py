"""Run a whole experiment: tune, run the cells, write tables and figures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.absent_data import is_absent
from prisam_p2p.experiment.cell_folder import CELLS, locked
from prisam_p2p.experiment.cells import Cell, cells_of, is_tuned, trials_of
from prisam_p2p.experiment.data_check import check_data
from prisam_p2p.experiment.durations import Estimates
from prisam_p2p.experiment.grid_file import Grid
from prisam_p2p.experiment.measures import measured
from prisam_p2p.experiment.progress import GridObserver
from prisam_p2p.experiment.resolved_cell import ResolvedCell, resolve
from prisam_p2p.experiment.results import Written, write_results
from prisam_p2p.experiment.runner import CellOutcomes, Job, Runner, host_cores, job_of
from prisam_p2p.experiment.statistics import CellResult
from prisam_p2p.experiment.tuning import Tried, Tuned, choose, record
from prisam_p2p.measure.files import write_whole
from prisam_p2p.system.stop_requests import stop_requests

TUNING = "tuning"
_UNTUNED = "not run: all of its tuning runs failed"


@dataclass(frozen=True)
class ExperimentRequest:
    """The options of `prisam experiment`.

    Attributes:
        out: the experiment's folder.
        overrides: settings of every cell, values as in JSON.
        only: a shell pattern for names of cells; None = all.
        jobs: the most cells at a time; None = as many as cores and memory allow.
        keep_models: keep the models and peer states of finished runs.
        trust_code: run the code that the experiment or a topology names.
        rerun_stale: run finished cells and tuning runs anew that other code made.
    """

    out: Path
    overrides: Mapping[str, Any]
    only: str | None = None
    jobs: int | None = None
    keep_models: bool = False
    trust_code: bool = False
    rerun_stale: bool = False


@dataclass(frozen=True)
class FinishedExperiment:
    """The result of an experiment.

    Attributes:
        cells: number of cells that were asked for.
        outcome: which cells are done and which failed.
        written: None after an interrupt.
    """

    cells: int
    outcome: CellOutcomes
    written: Written | None


@dataclass(frozen=True)
class Forecast:
    """A cell before it is run.

    Attributes:
        done: whether its run is finished already, and is to stay.
        stale: whether other code than the present made the run that is there.
        seconds: its duration if it is done, else an estimate.
    """

    name: str
    done: bool
    seconds: float
    stale: bool = False


@dataclass(frozen=True)
class DryRun:
    """An experiment before it is run.

    Attributes:
        absent: data sets that runs need, and of which the user has not said where they are.
    """

    runs: Sequence[Forecast]
    absent: Sequence[str]


def run_experiment(
    grid: Grid, request: ExperimentRequest, observer: GridObserver
) -> FinishedExperiment:
    """Run the cells that are not done, then write tables and figures of all finished cells.

    Raises:
        ConfigError: the input is wrong; no run was started.
    """
    check_data(_to_do(grid, request), grid.path, request.overrides, request.trust_code)
    with locked(request.out) as lock, stop_requests() as stopping:
        write_whole(request.out / "experiment.toml", grid.path.read_text())
        runner = Runner(request.jobs, request.keep_models, observer, stopping, lock)
        tuned, trials = _tune(grid, request, runner)
        if trials.interrupted:
            return FinishedExperiment(0, trials, None)
        cells = _wanted(grid, request, tuned)
        untuned = {cell.name: _UNTUNED for cell in cells if not is_tuned(grid, cell, tuned)}
        ready = [cell for cell in cells if cell.name not in untuned]
        outcome = runner.run(_jobs(ready, request, CELLS), "cells")
        failed = {**trials.failed, **untuned, **outcome.failed}
        outcome = CellOutcomes(outcome.done, failed, outcome.interrupted)
        if outcome.interrupted:
            return FinishedExperiment(len(cells), outcome, None)
        return FinishedExperiment(len(cells), outcome, _write(grid, request, tuned, outcome.failed))


def _to_do(grid: Grid, request: ExperimentRequest) -> Iterator[ResolvedCell]:
    """Yield the runs that are not done, as far as is known before tuning; resolve all cells."""
    tuned = choose(_tried(grid, request))
    cells = _wanted(grid, request, tuned)
    trials = _jobs([t.cell for t in trials_of(grid, request.overrides, cells)], request, TUNING)
    jobs = _jobs(cells, request, CELLS)
    yield from (job.resolved for job in trials if not job.done())
    for cell, job in zip(cells, jobs, strict=True):
        if not (is_tuned(grid, cell, tuned) and job.done()):
            yield job.resolved


def tabulate(grid: Grid, request: ExperimentRequest) -> FinishedExperiment:
    """Write tables and figures of the finished cells, even while other cells run.

    Raises:
        ConfigError: the input is wrong, or this experiment has not run in this folder.
    """
    _wanted(grid, request, {})
    if not (request.out / CELLS).is_dir():
        raise ConfigError(
            "--out", "", str(request.out), "a folder in which this experiment has run"
        )
    written = _write(grid, request, choose(_tried(grid, request)), {})
    return FinishedExperiment(0, CellOutcomes([], {}, False), written)


def forecast(grid: Grid, request: ExperimentRequest) -> DryRun:
    """Return all runs of the experiment, tuning first, with their estimated durations.

    This loads the data, unless the user has not said where they are, and measures a training step
    of each model; it starts no run.

    Raises:
        ConfigError: the input is wrong.
    """
    # A dry run refuses the same input as a run, but for data that are absent.
    check_data(_to_do(grid, request), grid.path, request.overrides, request.trust_code, True)
    cells = _wanted(grid, request, choose(_tried(grid, request)))
    trials = [trial.cell for trial in trials_of(grid, request.overrides, cells)]
    estimates = Estimates(host_cores())
    jobs = [*_jobs(trials, request, TUNING), *_jobs(cells, request, CELLS)]
    runs = [_forecast(job, estimates) for job in jobs]
    left = [job.resolved.settings for job, run in zip(jobs, runs, strict=True) if not run.done]
    return DryRun(runs, sorted({s.dataset for s in left if is_absent(s)}))


def _forecast(job: Job, estimates: Estimates) -> Forecast:
    done, ending = job.done(), job.folder.ending()
    known = ending.wall_s if done and ending else None
    seconds = known or estimates.seconds(job.resolved)
    return Forecast(job.name, done, seconds, job.folder.stale())


def _write(
    grid: Grid, request: ExperimentRequest, tuned: Tuned, failed: Mapping[str, str]
) -> Written:
    every = cells_of(grid, request.overrides, tuned)
    known = [cell for cell in every if is_tuned(grid, cell, tuned)]
    results = _results(_jobs(known, replace(request, rerun_stale=False), CELLS))
    return write_results(grid, request.out, results, len(every), failed)


def _tune(grid: Grid, request: ExperimentRequest, runner: Runner) -> tuple[Tuned, CellOutcomes]:
    """Run the trials that are not done, write tuning.json, and return the chosen settings."""
    trials = trials_of(grid, request.overrides, _wanted(grid, request, {}))
    if not trials:
        return {}, CellOutcomes([], {}, False)
    outcome = runner.run(_jobs([trial.cell for trial in trials], request, TUNING), "tuning")
    tried = _tried(grid, request, outcome.failed)
    tuned = choose(tried)
    if not outcome.interrupted:
        text = json.dumps(record(tried, tuned), indent=1)
        write_whole(request.out / "tuning.json", text + "\n")
    return tuned, outcome


def _tried(grid: Grid, request: ExperimentRequest, failed: Collection[str] = ()) -> list[Tried]:
    """Return all finished trials, even of cells not asked for now, and those that `failed`."""
    trials = trials_of(grid, request.overrides, cells_of(grid, request.overrides, {}))
    jobs = _jobs([trial.cell for trial in trials], request, TUNING)
    return [
        Tried(trial, _validation(job) if job.done() else None)
        for trial, job in zip(trials, jobs, strict=True)
        if job.done() or job.name in failed
    ]


def _validation(job: Job) -> float | None:
    return measured(job.folder.path).values["validation_deployed"]


def _wanted(grid: Grid, request: ExperimentRequest, tuned: Tuned) -> list[Cell]:
    cells = cells_of(grid, request.overrides, tuned)
    wanted = [cell for cell in cells if request.only is None or fnmatch(cell.name, request.only)]
    if cells and not wanted:
        right = f"a pattern that matches a cell's name, such as {cells[0].name}"
        raise ConfigError("--only", "", request.only, right)
    return wanted


def _jobs(cells: Sequence[Cell], request: ExperimentRequest, folder: str) -> list[Job]:
    return [job_of(resolve(cell), request.out / folder, request.rerun_stale) for cell in cells]


def _results(jobs: Sequence[Job]) -> list[CellResult]:
    return [
        CellResult(
            job.resolved.cell.labels,
            measured(job.folder.path),
            job.folder.path,
            tuple(job.folder.digests()),
            job.folder.stale(),
        )
        for job in jobs
        if job.done()
    ]
