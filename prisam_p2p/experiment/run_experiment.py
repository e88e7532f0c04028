"""Run a whole experiment: tune, run the cells, write tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.absent_data import is_absent
from prisam_p2p.experiment.cell_folder import CELLS, locked
from prisam_p2p.experiment.cells import Cell, cells_of, is_tuned, searches_of
from prisam_p2p.experiment.data_check import check_data
from prisam_p2p.experiment.durations import Estimates
from prisam_p2p.experiment.grid_file import Grid
from prisam_p2p.experiment.measures import measured
from prisam_p2p.experiment.progress import GridObserver
from prisam_p2p.experiment.resolved_cell import ResolvedCell, resolve
from prisam_p2p.experiment.results import Written, write_results
from prisam_p2p.experiment.runner import CellOutcomes, Job, Runner, host_cores, job_of
from prisam_p2p.experiment.statistics import CellResult
from prisam_p2p.experiment.tuning import Tuned, choices
from prisam_p2p.experiment.tuning_runs import TuningRuns
from prisam_p2p.measure.files import write_whole
from prisam_p2p.system.stop_requests import stop_requests

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
class TrialsLeft:
    """How many tuning runs are left, and their seconds, one after another: at least and at most."""

    least: int
    most: int
    least_s: float
    most_s: float


@dataclass(frozen=True)
class DryRun:
    """An experiment before it is run.

    Attributes:
        tuning: the tuning runs that are done and those of the next step.
        trials: how many tuning runs are left.
        runs: the cells.
        absent: data sets that runs need, and of which the user has not said where they are.
    """

    tuning: Sequence[Forecast]
    trials: TrialsLeft
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
    tuned, trials = _tuned(grid, request), _trials(grid, request)
    cells = _wanted(grid, request, tuned)
    jobs = _jobs(cells, request, CELLS)
    for search in searches_of(grid, cells):
        yield from (job.resolved for job in trials.to_run(trials.searched(search)))
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
    tuned = {**_trials(grid, request).recorded(), **_tuned(grid, request)}
    written = _write(grid, request, tuned, {})
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
    tuned = _tuned(grid, request)
    cells = _wanted(grid, request, tuned)
    trials, estimates = _trials(grid, request), Estimates(host_cores())
    tuning = []
    least = most = least_s = most_s = 0.0
    listed = []
    for search in searches_of(grid, cells):
        each = trials.searched(search)
        jobs = [*trials.done(each), *trials.to_run(each)]
        listed += jobs
        tuning += [_forecast(job, estimates, job.done()) for job in jobs]
        fewest, largest = each.trials_left()
        seconds = tuning[-1].seconds if jobs else 0.0
        least, most = least + fewest, most + largest
        least_s, most_s = least_s + fewest * seconds, most_s + largest * seconds
    jobs = _jobs(cells, request, CELLS)
    runs = [
        _forecast(job, estimates, is_tuned(grid, cell, tuned) and job.done())
        for cell, job in zip(cells, jobs, strict=True)
    ]
    forecasts = zip([*listed, *jobs], [*tuning, *runs], strict=True)
    left = [job.resolved.settings for job, run in forecasts if not run.done]
    absent = sorted({settings.dataset for settings in left if is_absent(settings)})
    return DryRun(tuning, TrialsLeft(int(least), int(most), least_s, most_s), runs, absent)


def _forecast(job: Job, estimates: Estimates, done: bool) -> Forecast:
    ending = job.folder.ending()
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
    """Run the trials that are not done, write tuning.json, and return the chosen settings.

    The choices are also of cells that are not asked for now, as far as their trials are done.
    """
    trials = _trials(grid, request)
    if grid.tune is None:
        return {}, CellOutcomes([], {}, False)
    _, outcome = trials.run(searches_of(grid, _wanted(grid, request, {})), runner)
    every = searches_of(grid, cells_of(grid, request.overrides, {}))
    searched = [trials.searched(search, outcome.failed) for search in every]
    trials.write(searched)
    return choices(searched), outcome


def _tuned(grid: Grid, request: ExperimentRequest) -> Tuned:
    """Return the choices of the searches that are over."""
    trials = _trials(grid, request)
    every = searches_of(grid, cells_of(grid, request.overrides, {}))
    return choices(trials.searched(search) for search in every)


def _trials(grid: Grid, request: ExperimentRequest) -> TuningRuns:
    return TuningRuns(grid, dict(request.overrides), request.out, request.rerun_stale)


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
