"""Run the trials of tuning, step by step, and take up those that are done in the folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from prisam_p2p.experiment.cells import Search, trial_of
from prisam_p2p.experiment.grid_file import Grid
from prisam_p2p.experiment.measures import measured
from prisam_p2p.experiment.resolved_cell import resolve
from prisam_p2p.experiment.runner import CellOutcomes, Job, Runner, job_of
from prisam_p2p.experiment.search import Chosen, next_trials
from prisam_p2p.experiment.tuning import Searched, Tuned, record, recorded
from prisam_p2p.measure.files import write_whole

TUNING = "tuning"


class TuningRuns:
    """The tuning runs in an experiment's folder.

    Args:
        overrides: settings of every run.
        out: the experiment's folder.
        rerun_stale: runs that other code made count for nothing.
    """

    def __init__(self, grid: Grid, overrides: dict[str, Any], out: Path, rerun_stale: bool) -> None:
        self._grid, self._overrides, self._out = grid, overrides, out
        self._rerun_stale = rerun_stale

    def searched(self, search: Search, failed: Collection[str] = ()) -> Searched:
        """Return how far a search is by the finished runs and those that `failed` just now."""
        results: dict[Any, float | None] = {}
        while True:
            step = next_trials(search.grid, results)
            if isinstance(step, Chosen):
                return Searched(search, results, step)
            new: dict[Any, float | None] = {}
            for trial in step.trials:
                job = self._job(search, trial)
                if job.done():
                    new[trial] = measured(job.folder.path).values["validation_deployed"]
                elif job.name in failed:
                    new[trial] = None
            if not new:
                return Searched(search, results, step)
            results |= new

    def done(self, each: Searched) -> list[Job]:
        """Return the finished runs that the search has used."""
        return [self._job(each.search, trial) for trial, v in each.results.items() if v is not None]

    def to_run(self, each: Searched) -> list[Job]:
        """Return the runs that the search needs now."""
        if isinstance(each.step, Chosen):
            return []
        return [self._job(each.search, trial) for trial in each.step.trials]

    def run(
        self, searches: Sequence[Search], runner: Runner
    ) -> tuple[list[Searched], CellOutcomes]:
        """Run the trials until each search is over, or the user interrupts."""
        failed: dict[str, str] = {}
        while True:
            found = [self.searched(search, failed) for search in searches]
            new = [job for each in found for job in self.to_run(each)]
            if not new:
                return found, CellOutcomes([], failed, False)
            old = [job for each in found for job in self.done(each)]
            outcome = runner.run([*old, *new], TUNING)
            failed |= outcome.failed
            if outcome.interrupted:
                return found, CellOutcomes([], failed, True)

    def write(self, searched: Sequence[Searched]) -> None:
        """Write tuning.json."""
        text = json.dumps(record(searched), indent=1)
        write_whole(self._out / "tuning.json", text + "\n")

    def recorded(self) -> Tuned:
        """Return the choices in tuning.json; none if it is not there or cannot be read."""
        try:
            return recorded(json.loads((self._out / "tuning.json").read_text()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _job(self, search: Search, trial: tuple[Any, int]) -> Job:
        cell = trial_of(self._grid, self._overrides, search, *trial)
        return job_of(resolve(cell), self._out / TUNING, self._rerun_stale)
