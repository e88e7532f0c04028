"""Scenarios: files in which people describe faults, such as topologies/faults/*.toml."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, Field, field_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.faults.scenario.fault import Fault
from prisam_p2p.faults.scenario.timing import ScenarioTable
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told, near, read_toml, validate


class Guard(ScenarioTable):
    """The table [guard].

    Attributes:
        most_down: the most peers that may be down at a time: 0.5 is half of them, 5 is five.
    """

    most_down: int | float

    @field_validator("most_down", mode="plain")
    @classmethod
    def _share_or_count(cls, value: object) -> int | float:
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        is_share = isinstance(value, float) and 0 < value <= 1
        if not isinstance(value, int | float) or not (is_count or is_share):
            raise Misfit("", value, "a share in (0, 1], or a whole number of at least 1")
        return value

    def limit(self, n_peers: int) -> int:
        """Return how many of `n_peers` may be down; a share is rounded down, to at least 1."""
        if isinstance(self.most_down, int):
            return min(self.most_down, n_peers)
        return max(1, math.floor(self.most_down * n_peers + 1e-9))


class Scenario(ScenarioTable):
    """A scenario, checked as far as is possible without a network.

    Attributes:
        name: the file's name without .toml; not a key of the file.
    """

    name: str
    description: str = Field(min_length=1)
    guard: Guard | None = None
    faults: list[Fault] = Field(alias="fault", min_length=1)


class _File(ScenarioTable):
    """The file of a scenario; its faults are not parsed yet."""

    description: str = Field(min_length=1)
    guard: Guard | None = None
    fault: list[dict[str, object]] = Field(min_length=1)


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in the file at `path`.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown, a value is out of its range,
            values contradict each other, or `after` names no fault or leads back to itself.
    """
    return scenario_from(read_toml(path), path.stem, str(path))


def scenario_from(data: Mapping[str, object], name: str, where: str) -> Scenario:
    """Return the scenario in the tables `data`; raise ConfigError like load_scenario."""
    refuse_unknown_keys(data, _File, where, "")
    file = validate(data, _File, where)
    faults = [_fault(entry, where, f"fault[{i}]") for i, entry in enumerate(file.fault)]
    _refuse_equal_ids(faults, where)
    _refuse_bad_after(faults, where)
    _refuse_cycles(faults, where)
    return Scenario.model_validate(
        {"name": name, "description": file.description, "guard": file.guard, "fault": faults}
    )


def _fault(entry: Mapping[str, object], where: str, key: str) -> Fault:
    kind = entry.get("kind", MISSING)
    if not isinstance(kind, str) or kind not in KINDS:
        right = f"a kind of fault; {near(str(kind), KINDS)}"
        raise ConfigError(where, f"{key}.kind", kind, right)
    model = KINDS[kind].model
    refuse_unknown_keys(entry, model, where, key)
    try:
        return validate(entry, model, where)
    except ConfigError as error:
        place = ".".join(filter(None, (key, error.key)))
        raise ConfigError(where, place, error.value, error.right) from None


def _refuse_equal_ids(faults: Sequence[Fault], where: str) -> None:
    seen = set[str]()
    for i, fault in enumerate(faults):
        if fault.id in seen:
            raise ConfigError(where, f"fault[{i}].id", fault.id, "an id that no other fault has")
        seen.add(fault.id)


def _refuse_bad_after(faults: Sequence[Fault], where: str) -> None:
    """Refuse an `after` that names no fault, or waits for a heal that never comes."""
    by_id = {fault.id: fault for fault in faults}
    for i, fault in enumerate(faults):
        if fault.at is None or fault.at.after is None:
            continue
        other, key = by_id.get(fault.at.after), f"fault[{i}].at"
        if other is None:
            right = f"the id of a fault; {near(fault.at.after, by_id)}"
            raise ConfigError(where, f"{key}.after", fault.at.after, right)
        if fault.at.edge == "healed" and other.ending.never:
            right = f"'applied': {other.id} never heals"
            raise ConfigError(where, f"{key}.edge", "healed", right)


def _refuse_cycles(faults: Sequence[Fault], where: str) -> None:
    after = {fault.id: fault.at.after for fault in faults if fault.at and fault.at.after}
    for i, fault in enumerate(faults):
        path = [fault.id]
        while path[-1] in after and path.count(path[-1]) == 1:
            path.append(after[path[-1]])
        if path.count(fault.id) > 1:
            right = f"no cycle of faults: {' after '.join(path)}"
            raise ConfigError(where, f"fault[{i}].at.after", Told(path[1]), right)


# -- unknown keys ----------------------------------------------------------------------
# Pydantic finds them too, but cannot name the nearest key through lists, unions and aliases.


def refuse_unknown_keys(
    table: Mapping[str, object], model: type[BaseModel], where: str, key: str
) -> None:
    """Raise ConfigError on the first key of `table`, or of a table in it, that `model` lacks.

    Args:
        key: path of the table in the file `where`; "" for the whole file.
    """
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, value in table.items():
        place = f"{key}.{name}".removeprefix(".")
        if name not in known:
            shown = Told("a table") if isinstance(value, dict) else value
            raise ConfigError(where, place, shown, f"a known key; {near(name, known)}")
        inner = _only_model(known[name].annotation)
        if inner is not None:
            for path, each in _tables(value, place):
                refuse_unknown_keys(each, inner, where, path)


def _tables(value: object, place: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield (path, table) of `value`, if it is a table, or of each table in the list `value`."""
    if isinstance(value, dict):
        yield place, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, dict):
                yield f"{place}[{index}]", each


def _only_model(annotation: object) -> type[BaseModel] | None:
    """Return the model in an annotation such as list[M] | None; None unless there is just one."""
    models = list(_models(annotation))
    return models[0] if len(models) == 1 else None


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
