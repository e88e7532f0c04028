"""Unknown keys, found at any depth of a scenario, each with the nearest known one.

Pydantic finds them too, but cannot name the nearest through lists, unions and aliases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel

from prisam_p2p.emulate.toml_file import Told, near
from prisam_p2p.errors import ConfigError


def refuse_unknown_keys(
    table: Mapping[str, object], model: type[BaseModel], where: str, key: str
) -> None:
    """Raise ConfigError on the first key of `table`, or of a table in it, that `model` has not.

    Args:
        key: path of the table in the file `where`, "" for the file as a whole.
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
    """Yield the table that `value` is, or the tables in the list that it is, with their paths."""
    if isinstance(value, dict):
        yield place, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, dict):
                yield f"{place}[{index}]", each


def _only_model(annotation: object) -> type[BaseModel] | None:
    """Return the model within an annotation such as list[M] | None; None if there is not one."""
    models = list(_models(annotation))
    return models[0] if len(models) == 1 else None


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
