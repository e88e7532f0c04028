"""Summarize the measures of cells over the seeds: mean, spread and n. Pure: no I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from prisam_p2p.experiment.catalog import BETWEEN_METHODS, METHOD
from prisam_p2p.experiment.cells import Labels, confined, key_of
from prisam_p2p.experiment.measures import Measurements, Values
from prisam_p2p.experiment.output_specs import ROUND, Label, Output, Relation, TableSpec

ENOUGH = 0.9
"""The share of the best method's accuracy for the measures `.._to_90_percent`."""

Axes = Mapping[str, Sequence[Label]]
"""Axis -> its labels, in the experiment's order."""


@dataclass(frozen=True)
class CellResult:
    """The measures of one cell, and its folder.

    Attributes:
        code: digests of the code that made it.
        stale: whether that is other code than the present.
    """

    labels: Labels
    measured: Measurements
    folder: Path
    code: tuple[str, ...] = ()
    stale: bool = False


@dataclass(frozen=True)
class Point:
    """The value of a measure for one seed; `stale`: other code than the present made it."""

    labels: Labels
    value: float | None
    stale: bool = False


@dataclass(frozen=True)
class Stat:
    """Statistics over the seeds.

    Attributes:
        sd: sample standard deviation; None for n = 1.
        low, high: the extremes.
        n: number of values.
        stale: number of those that other code than the present made.
    """

    mean: float
    sd: float | None
    low: float
    high: float
    n: int
    stale: int = 0


def stat(values: Iterable[float | None]) -> Stat | None:
    """Return the statistics of those values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    spread = stdev(known) if len(known) > 1 else None
    return Stat(fmean(known), spread, min(known), max(known), len(known))


def points(
    results: Sequence[CellResult],
    axes: Axes,
    output: Output,
    measure: str,
    rounds: Sequence[int] | None,
) -> list[Point]:
    """Return a measure's value for each cell that `output.where` admits.

    A cell to which an axis of the output does not apply has a point at each of its labels.

    Args:
        rounds: return the values after these rounds, with an axis round; None = at the end.
    """
    if measure in BETWEEN_METHODS:
        results = [*_with_reached(results)]
    admitted = [r for r in results if all(output.admits(a, r.labels.get(a)) for a in axes)]
    found = []
    for result in admitted:
        for labels in _everywhere(result.labels, output, axes):
            for more, values in _moments(result.measured, rounds):
                found.append(Point({**labels, **more}, values.get(measure), result.stale))
    return found


def against(points_of: Sequence[Point], spec: TableSpec) -> list[Point]:
    """Compare each point with its reference: that of the labels `spec.against`, by seed.

    A point without a reference has no value. The references themselves are left out.
    """
    reference = {
        key_of({a: v for a, v in p.labels.items() if a not in spec.against}): p
        for p in points_of
        if confined(p.labels, [*spec.against]) == spec.against
    }
    found = []
    for point in points_of:
        if confined(point.labels, [*spec.against]) == spec.against:
            continue
        rest = {a: v for a, v in point.labels.items() if a not in spec.against}
        other = reference.get(key_of(rest), Point({}, None))
        value = _relation(point.value, other.value, spec.relation)
        found.append(Point(point.labels, value, point.stale or other.stale))
    return found


def grouped(points_of: Iterable[Point], by: Sequence[str]) -> dict[tuple[Label, ...], Stat]:
    """Return labels of the axes `by` -> statistics over all points that have these labels."""
    groups: dict[tuple[Label, ...], list[Point]] = {}
    for point in points_of:
        groups.setdefault(tuple(point.labels[axis] for axis in by), []).append(point)
    found = {}
    for labels, group in groups.items():
        each = stat(point.value for point in group)
        if each is not None:
            stale = sum(point.stale for point in group if point.value is not None)
            found[labels] = replace(each, stale=stale)
    return found


def labels_along(axis: str, output: Output, axes: Axes, rounds: Sequence[int] = ()) -> list[Label]:
    """Return the labels of an axis that an output shows, in the experiment's order.

    Args:
        rounds: the labels of the axis round.
    """
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
    """Yield a cell's labels, completed by each label of the axes that do not apply to it."""
    absent = [a for a in output.axes if a in axes and a not in labels]
    choices = [labels_along(axis, output, axes) for axis in absent]
    for combination in itertools.product(*choices):
        yield {**labels, **dict(zip(absent, combination, strict=True))}


def _moments(
    measured: Measurements, rounds: Sequence[int] | None
) -> Iterator[tuple[dict[str, Label], Values]]:
    if rounds is None:
        yield {}, measured.values
        return
    for t in rounds:
        if t in measured.rounds:
            yield {ROUND: t}, measured.rounds[t]


def _with_reached(results: Sequence[CellResult]) -> Iterator[CellResult]:
    """Add to each cell when it reached ENOUGH of the best method's accuracy.

    The methods compared are the cells that differ in the label of the method alone.
    """
    accuracies: dict[frozenset[Any], list[float | None]] = {}
    for result in results:
        accuracy = result.measured.values["accuracy_deployed"]
        accuracies.setdefault(_without_method(result), []).append(accuracy)
    for result in results:
        known = [each for each in accuracies[_without_method(result)] if each is not None]
        t = _first_round(result, ENOUGH * max(known)) if known else None
        reached: Values = dict.fromkeys(BETWEEN_METHODS)
        if t is not None:
            sent = result.measured.rounds[t]["sent_mib"]
            reached = {"rounds_to_90_percent": t + 1, "sent_mib_to_90_percent": sent}
        values = {**result.measured.values, **reached}
        yield replace(result, measured=replace(result.measured, values=values))


def _first_round(result: CellResult, target: float) -> int | None:
    """Return the first round after which a cell's accuracy is at least `target`."""
    for t, values in result.measured.rounds.items():
        accuracy = values["accuracy_deployed"]
        if accuracy is not None and accuracy >= target:
            return t
    return None


def _without_method(result: CellResult) -> frozenset[Any]:
    return key_of({axis: v for axis, v in result.labels.items() if axis != METHOD})
