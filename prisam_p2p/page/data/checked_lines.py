"""Journal lines from anybody: one whose fields have other types than its record is refused."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from prisam_p2p.measure import records
from prisam_p2p.report.run_tables import record_name

Line = dict[str, Any]
Check = Callable[[Any], bool]

_LARGEST = 2**53
"""Integers beyond this are no exact numbers in a browser."""
_MAY_BE_INFINITE = frozenset({"loss", "norms"})
"""A training that diverged, or weights that a liar sent, leave such numbers."""


def parse(text: bytes | str) -> Line | None:
    """Return a journal's line as an object; None where it is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def is_sound(line: object, rounds: int) -> bool:
    """Tell whether a line is a record whose fields have their types.

    Fields that are absent are sound, as old journals lack some; so are records and fields that
    this version does not know.

    Args:
        rounds: of the run; a record of a round beyond them is not sound.
    """
    if not isinstance(line, dict) or not isinstance(line.get("record"), str):
        return False
    if not _is_number(line.get("t_s")):
        return False
    checks = _checks().get(line["record"])
    if checks is None:
        return True
    typed = all(name not in checks or checks[name](value) for name, value in line.items())
    return typed and -1 <= line.get("round", 0) <= rounds


@cache
def _checks() -> Mapping[str, Mapping[str, Check]]:
    """Return the name of a record -> its field -> its check."""
    return {record_name(each): _of(each) for each in typing.get_args(records.Record)}


def _of(record: type) -> Mapping[str, Check]:
    hints = typing.get_type_hints(record)
    return {
        each.name: _check(hints[each.name], each.name in _MAY_BE_INFINITE)
        for each in fields(record)
    }


def _check(hint: Any, may_be_infinite: bool = False) -> Check:
    """Return what tells whether a value from JSON has the type `hint`."""
    simple: dict[Any, Check] = {
        str: lambda value: isinstance(value, str),
        bool: lambda value: isinstance(value, bool),
        int: _is_whole,
        float: _is_float if may_be_infinite else _is_number,
        type(None): lambda value: value is None,
    }
    if hint in simple:
        return simple[hint]
    inner = [_check(each, may_be_infinite) for each in typing.get_args(hint)]
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return lambda value: any(check(value) for check in inner)
    if origin is list:
        each = inner[0]
        return lambda value: isinstance(value, list) and all(map(each, value))
    if origin is tuple:
        return lambda value: (
            isinstance(value, list)
            and len(value) == len(inner)
            and all(check(cell) for check, cell in zip(inner, value, strict=True))
        )
    if origin is dict:
        of_values = inner[1]
        return lambda value: isinstance(value, dict) and all(map(of_values, value.values()))
    raise TypeError(f"a journal's field has the type {hint}, which has no check")


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_float(value: Any) -> bool:
    return type(value) is float or _is_whole(value)


def _is_number(value: Any) -> bool:
    return _is_float(value) and math.isfinite(value)
