"""Scenarios: the file in which a person says what is to go wrong (topologies/faults/*.toml)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from prisam_p2p.emulate.faults.fault_base import Fault
from prisam_p2p.emulate.faults.kinds import MODELS, AnyFault
from prisam_p2p.emulate.faults.known_keys import refuse_unknown_keys
from prisam_p2p.emulate.faults.timing import Table
from prisam_p2p.emulate.toml_file import MISSING, Misfit, Told, near, read_toml, validate
from prisam_p2p.errors import ConfigError


class Guard(Table):
    """The table [guard].

    Attributes:
        most_down: peers that may be down at a time: 0.5 is half of them, 5 is five.
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
        """Return how many of `n_peers` may be down: a share is rounded down, to 1 at least."""
        if isinstance(self.most_down, int):
            return min(self.most_down, n_peers)
        return max(1, math.floor(self.most_down * n_peers + 1e-9))


class Scenario(Table):
    """A scenario, checked as far as can be without a network.

    Attributes:
        name: the file's name without .toml; not a key of the file.
    """

    name: str
    description: str = Field(min_length=1)
    guard: Guard | None = None
    faults: list[Annotated[AnyFault, Field(discriminator="kind")]] = Field(
        alias="fault", min_length=1
    )


class _File(Table):
    """A scenario's file, its faults unread."""

    description: str = Field(min_length=1)
    guard: Guard | None = None
    fault: list[dict[str, object]] = Field(min_length=1)


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in the file at `path`.

    Raises:
        ConfigError: the file is missing or no TOML, a key is unknown, a value is out of its range,
            values contradict each other, or a fault comes after none or after itself.
    """
    return scenario_from(read_toml(path), path.stem, str(path))


def scenario_from(data: Mapping[str, object], name: str, where: str) -> Scenario:
    """Return the scenario in the tables `data`; raise ConfigError like load_scenario."""
    refuse_unknown_keys(data, _File, where, "")
    file = validate(data, _File, where)
    faults = [_fault(entry, where, f"fault[{i}]") for i, entry in enumerate(file.fault)]
    _refuse_twins(faults, where)
    _refuse_loose_ends(faults, where)
    _refuse_circles(faults, where)
    return Scenario.model_validate(
        {"name": name, "description": file.description, "guard": file.guard, "fault": faults}
    )


def _fault(entry: Mapping[str, object], where: str, key: str) -> Fault:
    kind = entry.get("kind", MISSING)
    if not isinstance(kind, str) or kind not in MODELS:
        right = f"a kind of fault; {near(str(kind), MODELS)}"
        raise ConfigError(where, f"{key}.kind", kind, right)
    refuse_unknown_keys(entry, MODELS[kind], where, key)
    try:
        return validate(entry, MODELS[kind], where)
    except ConfigError as error:
        place = ".".join(filter(None, (key, error.key)))
        raise ConfigError(where, place, error.value, error.right) from None


def _refuse_twins(faults: Sequence[Fault], where: str) -> None:
    seen = set[str]()
    for i, fault in enumerate(faults):
        if fault.id in seen:
            raise ConfigError(where, f"fault[{i}].id", fault.id, "every id once")
        seen.add(fault.id)


def _refuse_loose_ends(faults: Sequence[Fault], where: str) -> None:
    """Refuse an `after` that leads to no fault, or to an edge that never comes."""
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


def _refuse_circles(faults: Sequence[Fault], where: str) -> None:
    after = {fault.id: fault.at.after for fault in faults if fault.at and fault.at.after}
    for i, fault in enumerate(faults):
        path = [fault.id]
        while path[-1] in after and path.count(path[-1]) == 1:
            path.append(after[path[-1]])
        if path.count(fault.id) > 1:
            right = f"no circle of faults: {' after '.join(path)}"
            raise ConfigError(where, f"fault[{i}].at.after", Told(path[1]), right)
