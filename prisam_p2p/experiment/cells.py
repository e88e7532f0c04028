"""Derive an experiment's cells, each of them one run, from its axes. Pure: no I/O."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.catalog import SEED
from prisam_p2p.experiment.grid_file import FILES, AxisValue, Grid, tuned_axes
from prisam_p2p.experiment.output_specs import Label
from prisam_p2p.experiment.search import Candidate, SearchGrid
from prisam_p2p.settings import MOST_ROUNDS

Labels = Mapping[str, Label]
"""Axis -> label; without the axes that do not apply to the cell."""

_USE_EVALUATIONS = ("accuracy_guard", "patience", "target_loss")
"""Settings by which evaluations influence the run."""


@dataclass(frozen=True)
class Cell:
    """One run of an experiment.

    Attributes:
        name: of its folder; readable, and unique in the experiment.
        settings: of the launch, beside the topology's own; values as in JSON.
    """

    name: str
    labels: Labels
    topology: Path
    faults: Path | None
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Search:
    """The tuning of the cells that have the same labels on the tuned axes.

    Attributes:
        labels: of the tuned axes.
        at: axis -> value, at which the candidates are tried.
        grid: the candidates.
    """

    labels: Labels
    at: Mapping[str, AxisValue]
    grid: SearchGrid


def cells_of(
    grid: Grid, overrides: Mapping[str, Any], tuned: Mapping[frozenset[Any], Mapping[str, Any]]
) -> list[Cell]:
    """Return the cells; the first axis varies slowest.

    Args:
        overrides: settings of the command line; they override all others, but may not be settings
            of an axis.
        tuned: `key_of` labels of the tuned axes -> the settings chosen for them.

    Raises:
        ConfigError: two axes, or an axis and an override, give the same setting; a cell has no
            topology; or two cells have the same name.
    """
    _check_overrides(grid, overrides)
    cells = []
    for chosen in _combinations(grid):
        labels = {axis: choice.label for axis, choice in chosen.items()}
        best = tuned.get(_tuning_key(grid, labels), {})
        cells.append(_cell(grid, chosen, {**best, **overrides}, _name(labels)))
    _check_names(cells, grid.path)
    return cells


def searches_of(grid: Grid, cells: Iterable[Cell]) -> list[Search]:
    """Return what is to be tuned for `cells`; other axes are at their first value.

    Raises:
        ConfigError: two axes say what to tune for the same cells.
    """
    if grid.tune is None:
        return []
    per = tuned_axes(grid)
    wanted = {_tuning_key(grid, cell.labels) for cell in cells}
    seeds = tuple(range(grid.tune.seed, grid.tune.seed + grid.tune.seeds))
    found: dict[frozenset[Any], Search] = {}
    for chosen in _combinations(grid):
        labels = confined({axis: choice.label for axis, choice in chosen.items()}, per)
        key = key_of(labels)
        if key in wanted and key not in found:
            searched = SearchGrid(_tuned_values(grid, chosen), seeds, grid.tune.bounds)
            found[key] = Search(labels, chosen, searched)
    return [*found.values()]


def _tuned_values(grid: Grid, chosen: Mapping[str, AxisValue]) -> Mapping[str, tuple[Any, ...]]:
    own = {axis: choice.tune for axis, choice in chosen.items() if choice.tune}
    if len(own) > 1:
        right = f"tune in only one of the axes {' and '.join(own)}"
        raise ConfigError(
            str(grid.path), "tune", [choice.label for choice in chosen.values()], right
        )
    return next(iter(own.values()), grid.candidates)


def trial_of(
    grid: Grid, overrides: Mapping[str, Any], search: Search, candidate: Candidate, seed: int
) -> Cell:
    """Return the tuning run of a candidate with a seed."""
    settings = dict(zip(search.grid.values, candidate, strict=True))
    first = seed == search.grid.seeds[0]
    name = _name({**search.labels, **settings, **({} if first else {SEED: seed})})
    return _evaluated_at_its_end(
        _cell(grid, search.at, {**settings, **overrides, SEED: seed}, name)
    )


def _evaluated_at_its_end(cell: Cell) -> Cell:
    """Return `cell` without the evaluations before its end, unless a setting uses them."""
    if any(cell.settings.get(key) is not None for key in _USE_EVALUATIONS):
        return cell
    return replace(cell, settings={**cell.settings, "evaluate_every": MOST_ROUNDS})


def is_tuned(grid: Grid, cell: Cell, tuned: Mapping[frozenset[Any], Mapping[str, Any]]) -> bool:
    """Tell whether tuning has chosen settings for a cell; True if the grid does not tune."""
    return grid.tune is None or _tuning_key(grid, cell.labels) in tuned


def confined(labels: Labels, axes: Sequence[str]) -> dict[str, Label]:
    """Return the labels of these axes alone."""
    return {axis: labels[axis] for axis in axes if axis in labels}


def key_of(labels: Labels) -> frozenset[Any]:
    """Return a hashable key of these labels."""
    return frozenset(labels.items())


def _tuning_key(grid: Grid, labels: Labels) -> frozenset[Any]:
    """Return `key_of` the labels of the tuned axes at which a cell's settings are tuned."""
    found = confined(labels, tuned_axes(grid))
    for axis in found:
        (value,) = (v for v in grid.axes[axis] if v.label == found[axis])
        found[axis] = value.label if value.tuned_as is None else value.tuned_as
    return key_of(found)


def _combinations(grid: Grid) -> Iterator[dict[str, AxisValue]]:
    """Yield axis -> value of every cell, without the excluded combinations.

    If a value is `without` an axis, that axis does not apply: there is one cell for all its values.
    """
    axes = grid.axes
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        absent = {axis for choice in combination for axis in choice.without}
        if all(chosen[axis] is axes[axis][0] for axis in absent):
            found = {axis: choice for axis, choice in chosen.items() if axis not in absent}
            if not any(_fits(each, found) for each in grid.exclude):
                yield found


def _fits(stated: Mapping[str, Label | list[Label]], chosen: Mapping[str, AxisValue]) -> bool:
    return all(
        axis in chosen and chosen[axis].label in (value if isinstance(value, list) else [value])
        for axis, value in stated.items()
    )


def _cell(grid: Grid, chosen: Mapping[str, AxisValue], more: Mapping[str, Any], name: str) -> Cell:
    settings, files = dict(grid.settings), dict(grid.files)
    stated_by: dict[str, str] = {}
    for axis, choice in chosen.items():
        for key, value in (*choice.settings.items(), *choice.files.items()):
            if key in stated_by:
                right = f"{key} in only one of the axes {stated_by[key]} and {axis}"
                raise ConfigError(str(grid.path), f"axes.{axis}", choice.label, right)
            stated_by[key] = axis
            (files if key in FILES else settings)[key] = value
    if "topology" not in files:
        raise ConfigError(str(grid.path), "topology", "", "a path, at the top or in an axis")
    labels = {axis: choice.label for axis, choice in chosen.items()}
    return Cell(name, labels, files["topology"], files.get("faults"), {**settings, **more})


def _check_overrides(grid: Grid, overrides: Mapping[str, Any]) -> None:
    taken = {key: f"the axis {a}" for a, cs in grid.axes.items() for c in cs for key in c.settings}
    own = (name for cs in grid.axes.values() for c in cs for name in c.tune)
    for key in dict.fromkeys((*grid.candidates, *own)):
        if key in taken:
            right = f"a setting that no axis gives, while {taken[key]} gives this one"
            raise ConfigError(str(grid.path), "tune.candidates", key, right)
        taken[key] = "[tune]"
    for key in overrides:
        if key in taken:
            option = f"--{key.replace('_', '-')}"
            right = f"no {option}, as {taken[key]} in {grid.path} gives this setting"
            raise ConfigError(option, "", overrides[key], right)


def _name(labels: Labels) -> str:
    return "_".join(_slug(axis, label) for axis, label in labels.items()) or "cell"


def _slug(axis: str, label: Label) -> str:
    """Return a label as part of a folder's name; numbers follow the name of their axis."""
    text = label if isinstance(label, str) else f"{axis}-{label}"
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or axis


def _check_names(cells: Sequence[Cell], path: Path) -> None:
    seen: dict[str, Labels] = {}
    for cell in cells:
        if cell.name in seen:
            right = f"labels that differ in letters or digits; two cells would be {cell.name}"
            raise ConfigError(
                str(path), "axes", " and ".join(map(str, cell.labels.values())), right
            )
        seen[cell.name] = cell.labels
