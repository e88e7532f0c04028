"""A whole experiment: tune, run the cells, write the tables and figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.cells import Cell, cells_of, is_tuned, trials_of
from prisam_p2p.experiment.estimate import Estimates
from prisam_p2p.experiment.grid import Grid
from prisam_p2p.experiment.identity import Resolved, resolve
from prisam_p2p.experiment.inputs import check_data
from prisam_p2p.experiment.measures import measured
from prisam_p2p.experiment.outcome import Written, write_results
from prisam_p2p.experiment.progress import Observer
from prisam_p2p.experiment.runner import Job, Outcome, Runner, host_cores, job_of
from prisam_p2p.experiment.statistics import Result
from prisam_p2p.experiment.store import locked
from prisam_p2p.experiment.tuning import Tried, Tuned, choose, record
from prisam_p2p.measure.files import write_whole
from prisam_p2p.system.stop_requests import stop_requests

CELLS, TUNING = "cells", "tuning"
_UNTUNED = "not run: no run that tunes it ended well"


@dataclass(frozen=True)
class Wish:
    """What the user asks for beside the file.

    Attributes:
        overrides: settings of every cell, values as in JSON.
        only: a pattern for names of cells, as a shell's; None: all.
        jobs: cells at once, None: as fits.
    """

    out: Path
    overrides: Mapping[str, Any]
    only: str | None = None
    jobs: int | None = None
    keep_models: bool = False


@dataclass(frozen=True)
class Finished:
    """What an experiment came to; `written` is None after an interrupt."""

    cells: int
    outcome: Outcome
    written: Written | None


@dataclass(frozen=True)
class Forecast:
    """A cell before it is run: whether it is done, and about how long it takes."""

    name: str
    done: bool
    seconds: float


def run_experiment(grid: Grid, wish: Wish, observer: Observer) -> Finished:
    """Run what is not done, then write tables and figures of everything that is.

    Raises:
        ConfigError: the input is wrong; nothing was started.
    """
    check_data(_to_do(grid, wish))
    with locked(wish.out) as lock, stop_requests() as stopping:
        shutil.copyfile(grid.path, wish.out / "experiment.toml")
        runner = Runner(wish.jobs, wish.keep_models, observer, stopping, lock)
        tuned, trials = _tune(grid, wish, runner)
        if trials.interrupted:
            return Finished(0, trials, None)
        cells = _wanted(grid, wish, tuned)
        untuned = {cell.name: _UNTUNED for cell in cells if not is_tuned(grid, cell, tuned)}
        ready = [cell for cell in cells if cell.name not in untuned]
        outcome = runner.run(_jobs(ready, wish.out / CELLS), "cells")
        failed = {**trials.failed, **untuned, **outcome.failed}
        outcome = Outcome(outcome.done, failed, outcome.interrupted)
        if outcome.interrupted:
            return Finished(len(cells), outcome, None)
        return Finished(len(cells), outcome, _write(grid, wish, tuned, outcome.failed))


def _to_do(grid: Grid, wish: Wish) -> Iterator[Resolved]:
    """Yield what is not done, as far as is known before tuning; all input is looked at."""
    tuned = choose(_tried(grid, wish))
    cells = _wanted(grid, wish, tuned)
    trials = _jobs([t.cell for t in trials_of(grid, wish.overrides, cells)], wish.out / TUNING)
    jobs = _jobs(cells, wish.out / CELLS)
    yield from (job.resolved for job in trials if not job.done())
    for cell, job in zip(cells, jobs, strict=True):
        if not (is_tuned(grid, cell, tuned) and job.done()):
            yield job.resolved


def tabulate(grid: Grid, wish: Wish) -> Finished:
    """Write tables and figures of everything that is done, also while others are run.

    Raises:
        ConfigError: the input is wrong, or nothing of this experiment is there.
    """
    _wanted(grid, wish, {})
    if not (wish.out / CELLS).is_dir():
        raise ConfigError("--out", "", str(wish.out), "a folder in which this experiment has run")
    written = _write(grid, wish, choose(_tried(grid, wish)), {})
    return Finished(0, Outcome([], {}, False), written)


def forecast(grid: Grid, wish: Wish) -> list[Forecast]:
    """Return every run that the experiment has, tuning first, and about how long each takes.

    Loads the data and measures a training step of each model; starts nothing.

    Raises:
        ConfigError: the input is wrong.
    """
    check_data(_to_do(grid, wish))  # a dry run refuses what a run would
    cells = _wanted(grid, wish, choose(_tried(grid, wish)))
    trials = [trial.cell for trial in trials_of(grid, wish.overrides, cells)]
    estimates = Estimates(host_cores())
    jobs = [*_jobs(trials, wish.out / TUNING), *_jobs(cells, wish.out / CELLS)]
    return [_forecast(job, estimates) for job in jobs]


def _forecast(job: Job, estimates: Estimates) -> Forecast:
    done, ending = job.done(), job.folder.ending()
    known = ending.wall_s if done and ending else None
    return Forecast(job.name, done, known or estimates.seconds(job.resolved))


def _write(grid: Grid, wish: Wish, tuned: Tuned, failed: Mapping[str, str]) -> Written:
    every = cells_of(grid, wish.overrides, tuned)
    known = [cell for cell in every if is_tuned(grid, cell, tuned)]
    results = _results(_jobs(known, wish.out / CELLS))
    return write_results(grid, wish.out, results, len(every), failed)


def _tune(grid: Grid, wish: Wish, runner: Runner) -> tuple[Tuned, Outcome]:
    """Run the trials that are not done; write tuning.json; return what all that are done chose."""
    trials = trials_of(grid, wish.overrides, _wanted(grid, wish, {}))
    if not trials:
        return {}, Outcome([], {}, False)
    outcome = runner.run(_jobs([trial.cell for trial in trials], wish.out / TUNING), "tuning")
    tried = _tried(grid, wish, outcome.failed)
    tuned = choose(tried)
    if not outcome.interrupted:
        text = json.dumps(record(tried, tuned), indent=1)
        write_whole(wish.out / "tuning.json", text + "\n")
    return tuned, outcome


def _tried(grid: Grid, wish: Wish, failed: Collection[str] = ()) -> list[Tried]:
    """Return all trials that are done, also of cells that nobody wants now, and those `failed`."""
    trials = trials_of(grid, wish.overrides, cells_of(grid, wish.overrides, {}))
    jobs = _jobs([trial.cell for trial in trials], wish.out / TUNING)
    return [
        Tried(trial, _validation(job) if job.done() else None)
        for trial, job in zip(trials, jobs, strict=True)
        if job.done() or job.name in failed
    ]


def _validation(job: Job) -> float | None:
    return measured(job.folder.path).values["validation_deployed"]


def _wanted(grid: Grid, wish: Wish, tuned: Tuned) -> list[Cell]:
    cells = cells_of(grid, wish.overrides, tuned)
    wanted = [cell for cell in cells if wish.only is None or fnmatch(cell.name, wish.only)]
    if cells and not wanted:
        right = f"a pattern that fits a cell's name, such as {cells[0].name}"
        raise ConfigError("--only", "", wish.only, right)
    return wanted


def _jobs(cells: Sequence[Cell], folder: Path) -> list[Job]:
    return [job_of(resolve(cell), folder) for cell in cells]


def _results(jobs: Sequence[Job]) -> list[Result]:
    return [
        Result(job.resolved.cell.labels, measured(job.folder.path), job.folder.path)
        for job in jobs
        if job.done()
    ]
