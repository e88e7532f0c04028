"""Read the file of an experiment (docs/experiments.md): settings, axes, tuning, tables, figures.

cells.py derives the runs from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.catalog import METHOD, SEED
from prisam_p2p.experiment.output_specs import (
    FigureSpec,
    Label,
    TableSpec,
    check_axes,
    needs_methods,
)
from prisam_p2p.plan.named_files import FAULT_FILES, TOPOLOGY_FILES
from prisam_p2p.plan.toml_file import Misfit, Told, load_toml, near, validate
from prisam_p2p.settings import RunSettings

_KINDS = {"topology": TOPOLOGY_FILES, "faults": FAULT_FILES}
FILES = tuple(_KINDS)
_OWN_KEYS = ("label", "without", "tune", "tuned_as", *FILES)
_ALWAYS_THERE = ("cells", "rounds")
_NOT_IN_FILES = {
    "baseline": "no such key; compare methods by an axis named method",
    "data_dir": "no such key; pass the option --data-dir, as the path differs between machines",
}


class Tune(BaseModel):
    """The table [tune]: settings to choose by validation accuracy before the cells are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: dict[str, list[Any]] = Field(
        min_length=1, description="Setting -> its values; every combination is a candidate."
    )
    bounds: dict[str, tuple[float, float]] = Field(
        {}, description="Setting -> least and largest value to which its values may be extended."
    )
    per: list[str] | None = Field(
        None, description="Axes whose values are tuned separately. [all but seed]"
    )
    seed: int = Field(1000, ge=0, lt=2**31, description="First seed of the tuning runs.")
    seeds: int = Field(3, ge=1, le=100, description="Number of seeds; each is one above the last.")


class GridFile(BaseModel):
    """An experiment as its file states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1, description="The question that it answers.")
    topology: str | None = Field(
        None, description="Every cell's topology: its name, or its path from this file."
    )
    faults: str | None = Field(
        None, description="Every cell's fault scenario: its name, or its path from this file."
    )
    run: RunSettings = RunSettings()
    axes: dict[str, list[Any]] = Field(
        min_length=1, description="Axis -> values; every combination is a cell."
    )
    exclude: list[dict[str, Label | list[Label]]] = Field(
        [], description="Axis -> label or labels, of combinations that are not run."
    )
    tune: Tune | None = None
    table: list[TableSpec] = []
    figure: list[FigureSpec] = []


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis.

    Attributes:
        label: its name in tables and figures.
        settings: that it gives; values as in JSON.
        files: "topology" or "faults" -> path.
        without: axes that do not apply to it, so that it is run once for all of their values.
        tune: setting -> values, to tune in place of those of [tune.candidates]; often empty.
        tuned_as: the label of another value, whose tuned settings this one takes; None = its own.
    """

    label: Label
    settings: Mapping[str, Any]
    files: Mapping[str, Path]
    without: frozenset[str] = frozenset()
    tune: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    tuned_as: Label | None = None


@dataclass(frozen=True)
class Grid:
    """An experiment, after all checks of its file.

    Attributes:
        name: of the file, without its ending.
        files, settings: of every cell, as in AxisValue.
        axes: axis -> values, in the file's order.
        candidates: setting -> its values to try in tuning.
    """

    name: str
    path: Path
    description: str
    files: Mapping[str, Path]
    settings: Mapping[str, Any]
    axes: Mapping[str, tuple[AxisValue, ...]]
    tune: Tune | None
    candidates: Mapping[str, tuple[Any, ...]]
    exclude: tuple[Mapping[str, Label | list[Label]], ...]
    tables: tuple[TableSpec, ...]
    figures: tuple[FigureSpec, ...]


def load_grid(path: Path) -> Grid:
    """Return the experiment in the file at `path`.

    Raises:
        ConfigError: the file cannot be read, or a key, value or path in it is wrong.
    """
    file = load_toml(path, GridFile)
    axes = {axis: _axis(axis, values, path) for axis, values in file.axes.items()}
    _check_references(file, axes, path)
    _check_tuning(file.tune, axes, path)
    settings = _explicit(file.run)
    _refuse_options(settings, "run", path)
    return Grid(
        name=path.stem,
        path=path,
        description=file.description,
        files=_files({key: getattr(file, key) for key in FILES}, "", path),
        settings=settings,
        axes=axes,
        tune=file.tune,
        candidates=_values(file.tune.candidates, "tune.candidates", path) if file.tune else {},
        exclude=tuple(file.exclude),
        tables=tuple(file.table),
        figures=tuple(file.figure),
    )


def settings_of(stated: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """Check the settings in a table of the file, and return them with values as in JSON.

    Args:
        key: of the table, for errors.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    try:
        checked = validate(stated, RunSettings, str(path))
    except ConfigError as error:
        raise ConfigError(str(path), f"{key}.{error.key}", error.value, error.right) from None
    _refuse_options(stated, key, path)
    return _explicit(checked)


def _explicit(settings: RunSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", include=set(settings.model_fields_set))


def _refuse_options(stated: Mapping[str, Any], key: str, path: Path) -> None:
    """Refuse settings that do not belong in a file."""
    for name, right in _NOT_IN_FILES.items():
        if name in stated:
            raise ConfigError(str(path), f"{key}.{name}", str(stated[name]), right)


def _axis(axis: str, values: list[Any], path: Path) -> tuple[AxisValue, ...]:
    key = f"axes.{axis}"
    if not values:
        raise ConfigError(str(path), key, values, "at least one value")
    choices = tuple(_choice(axis, v, f"{key}[{i}]", path) for i, v in enumerate(values))
    labels = [choice.label for choice in choices]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(str(path), key, label, "each label only once")
    return choices


def _choice(axis: str, value: Any, key: str, path: Path) -> AxisValue:
    if isinstance(value, dict):
        label = value.get("label")
        if isinstance(label, bool) or not isinstance(label, str | int | float):
            shown = Told("missing") if label is None else label
            raise ConfigError(str(path), f"{key}.label", shown, "text or a number")
        without = value.get("without", [])
        if not isinstance(without, list):
            raise ConfigError(str(path), f"{key}.without", without, "a list of axes")
        stated = {name: v for name, v in value.items() if name not in _OWN_KEYS}
        named = {name: value.get(name) for name in FILES}
        files = _files(named, key, path)
        own = value.get("tune", {})
        if not isinstance(own, dict):
            raise ConfigError(str(path), f"{key}.tune", own, "a table of settings and their values")
        tune = _values(own, f"{key}.tune", path)
        settings = settings_of(stated, key, path)
        return AxisValue(label, settings, files, frozenset(without), tune, value.get("tuned_as"))
    known = [*RunSettings.model_fields, *FILES]
    if axis not in known:
        right = f"a setting, topology or faults, or a list of tables; {near(axis, known)}"
        raise ConfigError(str(path), f"axes.{axis}", Told("a list of values"), right)
    if axis in FILES:
        files = _files({axis: value}, key.removesuffix(f".{axis}"), path)
        return AxisValue(Path(str(value)).stem, {}, files)
    try:
        return AxisValue(value, settings_of({axis: value}, key, path), {})
    except ConfigError as error:
        raise ConfigError(str(path), key, error.value, error.right) from None


def _files(named: Mapping[str, Any], key: str, path: Path) -> dict[str, Path]:
    found = {}
    for name, value in named.items():
        if value is None:
            continue
        place = f"{key}.{name}".removeprefix(".")
        if not isinstance(value, str):
            raise ConfigError(str(path), place, value, "a name or a path in quotes")
        found[name] = _KINDS[name].find(value, str(path), place, beside=path.parent).resolve()
    return found


def _values(stated: Mapping[str, Any], key: str, path: Path) -> dict[str, tuple[Any, ...]]:
    """Return the values to tune of each setting, as in JSON."""
    found = {}
    for name, values in stated.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(str(path), f"{key}.{name}", values, "a list of at least one value")
        checked = [settings_of({name: value}, key, path)[name] for value in values]
        for value in checked:
            if checked.count(value) > 1:
                raise ConfigError(str(path), f"{key}.{name}", value, "each value only once")
        found[name] = tuple(checked)
    return found


def _check_tuning(tune: Tune | None, axes: Mapping[str, tuple[AxisValue, ...]], path: Path) -> None:
    """Refuse bounds that do not hold the values, and values to tune where nothing is tuned."""
    per = (tune.per or [axis for axis in axes if axis != SEED]) if tune else []
    for axis, choices in axes.items():
        own = [choice.label for choice in choices if choice.tuned_as is None]
        for i, choice in enumerate(choices):
            for key, stated in (("tune", [*choice.tune]), ("tuned_as", choice.tuned_as)):
                if stated and axis not in per:
                    right = f"[tune], and {axis} among the axes tuned separately (tune.per)"
                    raise ConfigError(str(path), f"axes.{axis}[{i}].{key}", stated, right)
            if choice.tuned_as is not None and (choice.tune or choice.tuned_as not in own):
                right = f"without tune, a label of {axis} that is tuned: {', '.join(map(str, own))}"
                raise ConfigError(str(path), f"axes.{axis}[{i}].tuned_as", choice.tuned_as, right)
    if tune is None:
        return
    grids = [tune.candidates, *(choice.tune for choices in axes.values() for choice in choices)]
    for name, (low, high) in tune.bounds.items():
        key = f"tune.bounds.{name}"
        values = [value for each in grids for value in each.get(name, ())]
        if not values:
            right = f"a setting that is tuned; {near(name, {n for each in grids for n in each})}"
            raise ConfigError(str(path), key, name, right)
        for value in values:
            if isinstance(value, bool | str) or not low <= value <= high:
                right = f"[least, largest] with all values that are tried between, such as {value}"
                raise ConfigError(str(path), key, [low, high], right)
        whole = all(isinstance(value, int) for value in values)
        for bound in (low, high):
            stated = int(bound) if whole and bound == int(bound) else bound
            settings_of({name: stated}, "tune.bounds", path)


def _check_references(
    file: GridFile, axes: Mapping[str, tuple[AxisValue, ...]], path: Path
) -> None:
    """Refuse unknown axes and labels, and tables and figures that are not fully defined."""
    sizes = {axis: len(choices) for axis, choices in axes.items()}
    named = [(f"axes.{a}", other) for a, cs in axes.items() for c in cs for other in c.without]
    named += [("tune.per", axis) for axis in (file.tune.per or [])] if file.tune else []
    named += [(f"exclude[{i}]", axis) for i, each in enumerate(file.exclude) for axis in each]
    for key, axis in named:
        if axis not in sizes:
            raise ConfigError(str(path), key, axis, f"an axis; {near(axis, sizes)}")
    for i, each in enumerate(file.exclude):
        _check_labels(each, axes, f"exclude[{i}]", path)
    outputs: list[tuple[str, TableSpec | FigureSpec]] = [
        *((f"table[{i}]", table) for i, table in enumerate(file.table)),
        *((f"figure[{i}]", figure) for i, figure in enumerate(file.figure)),
    ]
    for place, output in outputs:
        others = [o.name for p, o in outputs if type(o) is type(output) and p != place]
        if output.name in [*others, *_ALWAYS_THERE]:
            raise ConfigError(str(path), f"{place}.name", output.name, "a name that is not taken")
        try:
            check_axes(output, sizes, place)
        except Misfit as misfit:
            raise ConfigError(str(path), misfit.key, misfit.value, misfit.right) from None
        _check_labels(output.where, axes, f"{place}.where", path)
        if isinstance(output, TableSpec):
            _check_labels(output.against, axes, f"{place}.against", path)
        if needs_methods(output) and METHOD not in axes:
            right = "an axis named method in this file, as this measure compares methods"
            raise ConfigError(str(path), place, output.name, right)


def _check_labels(
    stated: Mapping[str, Label | list[Label]] | Mapping[str, Label],
    axes: Mapping[str, tuple[AxisValue, ...]],
    place: str,
    path: Path,
) -> None:
    for axis, value in stated.items():
        labels = [choice.label for choice in axes[axis]]
        for label in value if isinstance(value, list) else [value]:
            if label not in labels:
                right = f"a label of {axis}: {', '.join(map(str, labels))}"
                raise ConfigError(str(path), f"{place}.{axis}", label, right)


def tuned_axes(grid: Grid) -> list[str]:
    """Return the axes whose values are tuned separately; none if the grid does not tune."""
    if grid.tune is None:
        return []
    return grid.tune.per if grid.tune.per is not None else [a for a in grid.axes if a != SEED]
