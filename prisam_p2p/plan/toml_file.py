"""Reads a TOML file into a pydantic model, and turns the first problem into a ConfigError.

It does not depend on what the files describe.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prisam_p2p.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


class Told(str):
    """Words in place of a value that cannot be shown. Errors print them in brackets, not quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"({' '.join(self.split())})"


MISSING = Told("missing")


class Misfit(ValueError):
    """Raised by a validator of a model when values contradict each other.

    Args:
        key: the key to change, relative to the model.
        value: the value of the key, MISSING if there is none.
        right: what would be right, as the rest of the sentence "expected ...".
    """

    def __init__(self, key: str, value: object, right: str) -> None:
        super().__init__(right)
        self.key, self.value, self.right = key, value, right


# What would be right, by pydantic's type of error; the braces are filled from its context.
_RIGHT = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "enum": "one of {expected}",
    "float_type": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "list_type": "a list",
    "missing": "a value",
    "model_type": "a table",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_type": "text in quotes",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} items",
    "tuple_type": "a list",
}


def load_toml(path: Path, model: type[Model]) -> Model:
    """Return the file at `path` as a `model`.

    Raises:
        ConfigError: the file is missing, unreadable or not TOML, or does not fit `model`.
    """
    return validate(read_toml(path), model, str(path))


def read_toml(path: Path) -> dict[str, object]:
    """Return the tables of the file at `path`, not validated. Raises ConfigError like load_toml."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise no_such_file(str(path), "", path) from None
    except OSError as error:
        value = Told(error.strerror or str(error))
        raise ConfigError(str(path), "", value, "a readable file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "", Told(f"{error}"), "UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "", Told(f"{error}"), "valid TOML") from None
    _refuse_unknown_kinds(data, "", str(path))
    return data


def validate(data: Mapping[str, object], model: type[Model], where: str) -> Model:
    """Return `data` as a `model`. true is not an integer, "3" is not 3, but 3 is accepted as 3.0.

    It is validated as JSON because a text file needs JSON's rules: strict, but enums and paths are
    strings.
    """
    try:
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise config_error_from(error, where, model) from None


def config_error_from(
    error: ValidationError, where: str, model: type[BaseModel] | None = None
) -> ConfigError:
    """Return the most useful problem in `error`: an unknown key comes before a missing one.

    Args:
        error: the problems that pydantic found.
        where: the file or the command-line option that holds the values.
        model: the model that was validated, to name the nearest known key.
    """
    first = min(error.errors(), key=lambda details: details["type"] != "extra_forbidden")
    key, value, kind = _dotted(first["loc"]), first["input"], first["type"]
    reason = first.get("ctx", {}).get("error")
    if isinstance(reason, Misfit):
        place = ".".join(filter(None, (key, reason.key)))
        return ConfigError(where, place, reason.value, reason.right)
    if kind == "missing":
        value = MISSING
    elif isinstance(value, dict):
        value = Told("a table")
    right = _unknown_key(first, model) if kind == "extra_forbidden" else _right(first)
    return ConfigError(where, key, value, right)


def no_such_file(where: str, key: str, path: Path) -> ConfigError:
    """Return the error for a missing file at `path`; it names the nearest files in its folder."""
    folder = path.parent
    names = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    right = f"a file; {near(path.name, names)} in {folder}" if names else "a file in a folder"
    return ConfigError(where, key, str(path) if key else Told("no such file"), right)


def near(word: str, known: Iterable[str]) -> str:
    """Return the known words nearest to `word`, or all of them, as "the nearest is ..."."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"the nearest is {' or '.join(close)}" if close else f"there is {', '.join(known)}"


def _unknown_key(details: ErrorDetails, model: type[BaseModel] | None) -> str:
    *path, key = details["loc"]
    table = _table_at(model, path) if model else None
    if table is None:
        return "a known key"
    former: Mapping[str, str] = getattr(table, "former_keys", {})
    if key in former:
        return former[str(key)]
    known = [field.alias or name for name, field in table.model_fields.items()]
    return f"a known key; {near(str(key), known)}"


def _table_at(model: type[BaseModel], path: list[int | str]) -> type[BaseModel] | None:
    """Return the model of the table at this path, None where no model describes it."""
    for part in path:
        if isinstance(part, int):
            continue  # an item of a list of tables
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if get_origin(inner) is list:
            (inner,) = get_args(inner)
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            return None
        model = inner
    return model


def _right(details: ErrorDetails) -> str:
    template = _RIGHT.get(details["type"])
    if template is None:
        return " ".join(details["msg"].removeprefix("Input should be ").split())
    return template.format(**details.get("ctx", {}))


def _dotted(loc: Iterable[int | str]) -> str:
    """Return ("links", "edges", 0) as links.edges[0]."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.removeprefix(".")


def _refuse_unknown_kinds(value: object, key: str, where: str) -> None:
    """Refuse values that TOML allows but no model uses: dates, infinities and not-a-number."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unknown_kinds(inner, f"{key}.{name}".removeprefix("."), where)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unknown_kinds(inner, f"{key}[{index}]", where)
    elif not isinstance(value, bool | int | float | str):
        raise ConfigError(where, key, Told(str(value)), "no date or time; put text in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(where, key, value, "a finite number")
