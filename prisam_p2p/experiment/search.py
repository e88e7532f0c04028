"""Search a grid of settings for the best candidate: what to try next, given what is known. Pure.

Two rules save runs and find an optimum inside the grid. *Halving*: all candidates are tried with
the first seed; the better half of them also with the second, and so on. *Bracketing*: if the best
candidate lies at the edge of the grid in a setting that has bounds, the grid grows there by a value
in geometric progression, and the new candidates are halved likewise; the best one so far stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf, prod
from statistics import fmean
from typing import Any

Candidate = tuple[Any, ...]
"""A value of each setting, in the order of the grid's."""

Results = Mapping[tuple[Candidate, int], float | None]
"""Candidate and seed -> validation accuracy; None if the run failed."""


@dataclass(frozen=True)
class SearchGrid:
    """The candidates and how they are searched.

    Attributes:
        values: setting -> its values in the file's order; every combination is a candidate.
        seeds: of the runs of a candidate.
        bounds: setting -> least and largest value to which the grid may grow.
    """

    values: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    bounds: Mapping[str, tuple[float, float]]

    def candidates(self) -> list[Candidate]:
        """Return all combinations; the first setting varies slowest."""
        return list(itertools.product(*self.values.values()))


@dataclass(frozen=True)
class ToRun:
    """Trials that the search needs now: candidates and seeds; the grid as it has grown."""

    grid: SearchGrid
    trials: tuple[tuple[Candidate, int], ...]


@dataclass(frozen=True)
class Chosen:
    """The end of a search; `candidate` is None if no candidate ran with every seed it needed."""

    grid: SearchGrid
    candidate: Candidate | None


def next_trials(grid: SearchGrid, results: Results) -> ToRun | Chosen:
    """Return the trials to run now, or the choice.

    The search is followed from its beginning each time, so that a resumed one goes on where it was.
    No trial of `results` is asked for again. A tie goes to the candidate that came first.
    """
    best: Candidate | None = None
    new = grid.candidates()
    while True:
        found = _halved(new, grid.seeds, results)
        if isinstance(found, tuple):
            return ToRun(grid, found)
        finalists = [best, *found] if best is not None else found
        sound = [each for each in finalists if _mean(each, grid.seeds, results) > -inf]
        if not sound:
            return Chosen(grid, None)
        best = max(sound, key=lambda each: _mean(each, grid.seeds, results))
        grown = _grown(grid, best)
        if grown is None:
            return Chosen(grid, best)
        known = {*grid.candidates()}
        grid = grown
        new = [each for each in grid.candidates() if each not in known]


def edges(values: Mapping[str, Iterable[Any]], candidate: Candidate) -> list[str]:
    """Return the settings of which the candidate has the least or the largest number tried.

    The best value may lie beyond it. A setting with one value, or with words, has no edge.
    """
    return [
        name
        for (name, each), value in zip(values.items(), candidate, strict=True)
        if _numbers(tried := set(each)) and len(tried) > 1 and value in (min(tried), max(tried))
    ]


def fewest_trials(grid: SearchGrid) -> int:
    """Return the number of trials if the grid does not grow."""
    return _cost(len(grid.candidates()), len(grid.seeds))


def most_trials(grid: SearchGrid) -> int:
    """Return the largest number of trials: the grid grows to all of its bounds, at worst order."""
    sizes = tuple(len(set(values)) for values in grid.values.values())
    steps = tuple(_steps(name, values, grid) for name, values in grid.values.items())

    @cache
    def beyond(grown: tuple[int, ...]) -> int:
        more = [0]
        for i, most in enumerate(steps):
            if grown[i] < most:
                line = prod(
                    s + g for j, (s, g) in enumerate(zip(sizes, grown, strict=True)) if j != i
                )
                after = (*grown[:i], grown[i] + 1, *grown[i + 1 :])
                more.append(_cost(line, len(grid.seeds)) + beyond(after))
        return max(more)

    return fewest_trials(grid) + beyond((0,) * len(steps))


def _halved(
    candidates: Sequence[Candidate], seeds: Sequence[int], results: Results
) -> list[Candidate] | tuple[tuple[Candidate, int], ...]:
    """Return those that were tried with all seeds, or else, as a tuple, the trials that lack."""
    alive = list(candidates)
    for n, seed in enumerate(seeds, start=1):
        lacking = tuple((each, seed) for each in alive if (each, seed) not in results)
        if lacking:
            return lacking
        if n < len(seeds):
            ranked = sorted(alive, key=lambda each: -_mean(each, seeds[:n], results))
            kept = {*ranked[: (len(ranked) + 1) // 2]}
            alive = [each for each in alive if each in kept]
    return alive


def _mean(candidate: Candidate, seeds: Sequence[int], results: Results) -> float:
    """Return the mean over the seeds; minus infinity if a run failed."""
    values = [results.get((candidate, seed)) for seed in seeds]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else -inf


def _grown(grid: SearchGrid, best: Candidate) -> SearchGrid | None:
    """Return the grid with a value more beyond the first edge at which `best` lies, if any."""
    for name, value in zip(grid.values, best, strict=True):
        values = grid.values[name]
        if name not in edges({name: values}, (value,)):
            continue
        beyond = _beyond(name, values, value == max(values), grid)
        if beyond is not None:
            return replace(grid, values={**grid.values, name: (*values, beyond)})
    return None


def _beyond(name: str, values: Sequence[Any], upwards: bool, grid: SearchGrid) -> Any | None:
    """Return the value that follows an edge, in the ratio of the two values there.

    It is rounded to 3 digits, or to a whole number if all values are; the last one is the bound.
    None if there are no bounds, or the edge is at its bound.
    """
    if name not in grid.bounds:
        return None
    low, high = grid.bounds[name]
    last, before = sorted(set(values), reverse=upwards)[:2]
    bound = high if upwards else low
    if (last >= bound) if upwards else (last <= bound):
        return None
    ratio = last / before if last > 0 and before > 0 else 2.0 if upwards else 0.5
    whole = all(isinstance(each, int) for each in values)
    value = round(last * ratio) if whole else float(f"{last * ratio:.3g}")
    further = last < value < bound if upwards else bound < value < last
    return value if further else int(bound) if whole else float(bound)


def _steps(name: str, values: tuple[Any, ...], grid: SearchGrid) -> int:
    """Return how often a setting can grow, at both edges together."""
    if name not in grid.bounds or not _numbers(set(values)) or len(set(values)) < 2:
        return 0
    steps = 0
    for upwards in (False, True):
        tried = values
        while (value := _beyond(name, tried, upwards, grid)) is not None:
            tried, steps = (*tried, value), steps + 1
    return steps


def _cost(candidates: int, seeds: int) -> int:
    """Return the number of trials in which so many candidates are halved."""
    total = 0
    for _ in range(seeds):
        total += candidates
        candidates = (candidates + 1) // 2
    return total


def _numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
