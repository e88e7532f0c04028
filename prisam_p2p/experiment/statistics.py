"""From the measures of cells to mean, spread and n over the seeds. Pure: no I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from prisam_p2p.experiment.catalog import BETWEEN_METHODS, METHOD
from prisam_p2p.experiment.cells import Labels, confined, key_of
from prisam_p2p.experiment.measures import Measured, Values
from prisam_p2p.experiment.outputs import ROUND, Label, Output, Relation, TableSpec

ENOUGH = 0.9
"""Of the best method's accuracy: what a method has to reach."""

Axes = Mapping[str, Sequence[Label]]
"""Axis -> its labels, in the experiment's order."""


@dataclass(frozen=True)
class Result:
    """What one cell came to, and where its files are."""

    labels: Labels
    measured: Measured
    folder: Path


@dataclass(frozen=True)
class Point:
    """The value of a measure for one seed."""

    labels: Labels
    value: float | None


@dataclass(frozen=True)
class Stat:
    """Over the seeds: mean, sample standard deviation (None for n = 1), extremes, and how many."""

    mean: float
    sd: float | None
    low: float
    high: float
    n: int


def stat(values: Iterable[float | None]) -> Stat | None:
    """Return the figures of what is known of `values`, None if nothing is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    spread = stdev(known) if len(known) > 1 else None
    return Stat(fmean(known), spread, min(known), max(known), len(known))


def points(
    results: Sequence[Result],
    axes: Axes,
    output: Output,
    measure: str,
    rounds: Sequence[int] | None,
) -> list[Point]:
    """Return a measure of each cell that `output.where` lets in.

    A cell that has no part in an axis of the output stands at each of its labels.

    Args:
        rounds: after these, with an axis round; None: at the end.
    """
    if measure in BETWEEN_METHODS:
        results = [*_with_reached(results)]
    admitted = [r for r in results if all(output.admits(a, r.labels.get(a)) for a in axes)]
    found = []
    for result in admitted:
        for labels in _everywhere(result.labels, output, axes):
            for more, values in _moments(result.measured, rounds):
                found.append(Point({**labels, **more}, values.get(measure)))
    return found


def against(points_of: Sequence[Point], spec: TableSpec) -> list[Point]:
    """Return each point set against that of the labels `spec.against`, of the same seed.

    A point whose counterpart is not there has no value; the counterparts themselves are left out.
    """
    reference = {
        key_of({a: v for a, v in p.labels.items() if a not in spec.against}): p.value
        for p in points_of
        if confined(p.labels, [*spec.against]) == spec.against
    }
    found = []
    for point in points_of:
        if confined(point.labels, [*spec.against]) == spec.against:
            continue
        rest = {a: v for a, v in point.labels.items() if a not in spec.against}
        found.append(
            replace(point, value=_relation(point.value, reference.get(key_of(rest)), spec.relation))
        )
    return found


def grouped(points_of: Iterable[Point], by: Sequence[str]) -> dict[tuple[Label, ...], Stat]:
    """Return labels of the axes `by` -> figures over all points that have them."""
    groups: dict[tuple[Label, ...], list[float | None]] = {}
    for point in points_of:
        groups.setdefault(tuple(point.labels[axis] for axis in by), []).append(point.value)
    stats = {labels: stat(values) for labels, values in groups.items()}
    return {labels: each for labels, each in stats.items() if each is not None}


def labels_along(axis: str, output: Output, axes: Axes, rounds: Sequence[int] = ()) -> list[Label]:
    """Return the labels of an axis that an output shows, in order."""
    if axis == ROUND:
        return list(rounds)
    return [label for label in axes[axis] if output.admits(axis, label)]


def _relation(value: float | None, other: float | None, relation: Relation) -> float | None:
    if value is None or other is None:
        return None
    if relation is Relation.DIFFERENCE:
        return value - other
    return value / other if other else None


def _everywhere(labels: Labels, output: Output, axes: Axes) -> Iterator[dict[str, Label]]:
    """Yield the labels, with each label of the output's axes that the cell has no part in."""
    absent = [a for a in output.axes if a in axes and a not in labels]
    choices = [labels_along(axis, output, axes) for axis in absent]
    for combination in itertools.product(*choices):
        yield {**labels, **dict(zip(absent, combination, strict=True))}


def _moments(
    measured: Measured, rounds: Sequence[int] | None
) -> Iterator[tuple[dict[str, Label], Values]]:
    if rounds is None:
        yield {}, measured.values
        return
    for t in rounds:
        if t in measured.rounds:
            yield {ROUND: t}, measured.rounds[t]


def _with_reached(results: Sequence[Result]) -> Iterator[Result]:
    """Add to each cell when it reached ENOUGH of the best accuracy of its scene's methods.

    A scene: cells with the same labels but for the method, the seed among them.
    """
    scenes: dict[frozenset[Any], list[float | None]] = {}
    for result in results:
        accuracy = result.measured.values["accuracy_deployed"]
        scenes.setdefault(_scene(result), []).append(accuracy)
    for result in results:
        known = [accuracy for accuracy in scenes[_scene(result)] if accuracy is not None]
        t = _first_round(result, ENOUGH * max(known)) if known else None
        reached: Values = dict.fromkeys(BETWEEN_METHODS)
        if t is not None:
            sent = result.measured.rounds[t]["sent_mib"]
            reached = {"rounds_to_90_percent": t + 1, "sent_mib_to_90_percent": sent}
        values = {**result.measured.values, **reached}
        yield replace(result, measured=replace(result.measured, values=values))


def _first_round(result: Result, target: float) -> int | None:
    """Return the first round after which a cell's accuracy is at least `target`."""
    for t, values in result.measured.rounds.items():
        accuracy = values["accuracy_deployed"]
        if accuracy is not None and accuracy >= target:
            return t
    return None


def _scene(result: Result) -> frozenset[Any]:
    return key_of({axis: v for axis, v in result.labels.items() if axis != METHOD})
