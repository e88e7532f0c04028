"""Choose the candidate settings with the best validation accuracy, for each method. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from prisam_p2p.experiment.cells import Search, key_of
from prisam_p2p.experiment.search import (
    Candidate,
    Chosen,
    Results,
    ToRun,
    edges,
    fewest_trials,
    most_trials,
)

Tuned = dict[frozenset[Any], Mapping[str, Any]]
"""`key_of` labels of the tuned axes -> the chosen settings."""


@dataclass(frozen=True)
class Searched:
    """How far a search is.

    Attributes:
        results: mean validation accuracy of the deployed models of each trial.
        step: the trials to run now, or the choice.
    """

    search: Search
    results: Results
    step: ToRun | Chosen

    def settings(self, candidate: Candidate) -> dict[str, Any]:
        """Return the settings of a candidate."""
        return dict(zip(self.search.grid.values, candidate, strict=True))

    def trials_left(self) -> tuple[int, int]:
        """Return how many trials are left at least, and at most."""
        if isinstance(self.step, Chosen):
            return 0, 0
        done, grid = len(self.results), self.search.grid
        return max(len(self.step.trials), fewest_trials(grid) - done), most_trials(grid) - done


def choices(searched: Iterable[Searched]) -> Tuned:
    """Return the chosen settings, of the searches that are over and in which a trial succeeded."""
    return {
        key_of(each.search.labels): each.settings(each.step.candidate)
        for each in searched
        if isinstance(each.step, Chosen) and each.step.candidate is not None
    }


def record(searched: Iterable[Searched]) -> list[dict[str, Any]]:
    """Return the content of tuning.json: for each search the grid, what was tried, the choice."""
    return [_entry(each) for each in searched if each.results]


def recorded(entries: Iterable[Mapping[str, Any]]) -> Tuned:
    """Return the choices that a tuning.json has, also one of an earlier version."""
    return {key_of(each["labels"]): each["chosen"] for each in entries if each.get("chosen")}


def _entry(each: Searched) -> dict[str, Any]:
    chosen = each.step.candidate if isinstance(each.step, Chosen) else None
    values = each.step.grid.values
    return {
        "labels": dict(each.search.labels),
        "chosen": each.settings(chosen) if chosen is not None else None,
        "at_edge": edges(values, chosen) if chosen is not None else [],
        "over": isinstance(each.step, Chosen),
        "grid": {name: _sorted(tried) for name, tried in values.items()},
        "bounds": {
            name: bound for name, bound in each.search.grid.bounds.items() if name in values
        },
        "candidates": [_tried(each, one) for one in dict.fromkeys(c for c, _ in each.results)],
    }


def _tried(each: Searched, candidate: Candidate) -> dict[str, Any]:
    """Return a candidate with its accuracy by seed; those with fewer seeds were dropped before."""
    by_seed = {seed: v for (one, seed), v in each.results.items() if one == candidate}
    known = [value for value in by_seed.values() if value is not None]
    mean = fmean(known) if len(known) == len(by_seed) else None
    return {**each.settings(candidate), "validation": mean, "by_seed": by_seed}


def _sorted(values: tuple[Any, ...]) -> list[Any]:
    words = any(isinstance(value, str) for value in values)
    return list(values) if words else sorted(values)
