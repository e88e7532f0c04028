"""Journal lines from anybody: one whose fields have other types than its record is refused."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from itertools import chain
from math import isfinite
from typing import Any

from prisam_p2p.measure import records
from prisam_p2p.report.run_tables import record_name

Line = dict[str, Any]
Check = Callable[[Any], bool]
CheckAll = Callable[[Collection[Any]], bool]

_LARGEST = 2**53
"""Integers beyond this are no exact numbers in a browser; nothing else is as large, either."""
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
    for name, value in line.items():
        check = checks.get(name)
        if check is not None and not check(value):
            return False
    return bool(-1 <= line.get("round", 0) <= rounds)


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
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        are = _scalars(inner[1], may_be_infinite)
        return lambda value: type(value) is dict and are(value.values())
    if not may_be_infinite and hint in _PLAIN:
        return _PLAIN[hint]
    if origin is not list:
        are = _scalars(hint, may_be_infinite)
        return lambda value: are((value,))
    kind, cells = typing.get_origin(inner[0]), typing.get_args(inner[0])
    if kind is tuple:
        return _check_rows([_scalars(each, may_be_infinite) for each in cells])
    if kind in (list, dict):
        return _check_inner(kind, _scalars(cells[-1], may_be_infinite))
    are = _scalars(inner[0], may_be_infinite)
    return lambda value: type(value) is list and are(value)


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return (type(value) is float or type(value) is int) and -_LARGEST <= value <= _LARGEST


_PLAIN: Mapping[Any, Check] = {
    str: lambda value: type(value) is str,
    bool: lambda value: type(value) is bool,
    int: _is_whole,
    float: _is_number,
}
"""The checks of most fields, fast; NaN is no number here: it is neither small nor large."""


def _check_rows(columns: Sequence[CheckAll]) -> Check:
    """Return the check of a list of rows, each cell of which has the type of its column."""

    def check(value: Any) -> bool:
        if type(value) is not list or not {*map(type, value)} <= {list}:
            return False
        if not {*map(len, value)} <= {len(columns)}:
            return False
        cells = zip(columns, zip(*value, strict=True), strict=False)  # no cells without a row
        return all(are(each) for are, each in cells)

    return check


def _check_inner(kind: type, are: CheckAll) -> Check:
    """Return the check of a list of lists or objects, all of whose values have one type."""

    def check(value: Any) -> bool:
        if type(value) is not list or not {*map(type, value)} <= {kind}:
            return False
        inner = value if kind is list else [each.values() for each in value]
        return are(list(chain.from_iterable(inner)))

    return check


def _scalars(hint: Any, may_be_infinite: bool) -> CheckAll:
    """Return what tells whether all values have the scalar type `hint`."""
    unions = (types.UnionType, typing.Union)
    kinds = {*typing.get_args(hint)} if typing.get_origin(hint) in unions else {hint}
    if not kinds <= {str, bool, int, float, types.NoneType}:
        raise TypeError(f"a journal's field has the type {hint}, which has no check")
    if float in kinds:
        kinds.add(int)  # a journal may hold 1 for 1.0
    if not kinds & {int, float}:
        return lambda values: {*map(type, values)} <= kinds
    return lambda values: {*map(type, values)} <= kinds and _are_numbers(values, may_be_infinite)


def _are_numbers(values: Iterable[Any], may_be_infinite: bool) -> bool:
    """Tell whether all numbers among the values are of a size that a browser can hold."""
    found = [each for each in values if type(each) is int or type(each) is float]
    if may_be_infinite:
        found = [each for each in found if type(each) is int or isfinite(each)]
    if not found:
        return True
    return min(found) >= -_LARGEST and max(found) <= _LARGEST and all(map(isfinite, found))
