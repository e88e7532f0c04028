"""Errors as data, so that the caller gets the same error that its child process met. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prisam_p2p.errors import (
    CheckFailed,
    ConfigError,
    DoesNotFit,
    LaunchError,
    PrisamError,
    ResourceError,
    Undecided,
)

_FIELDS: Mapping[type[PrisamError], tuple[str, ...]] = {
    ConfigError: ("where", "key", "value", "right"),
    LaunchError: ("child", "reason", "last_lines"),
    ResourceError: ("what", "reason", "to_do"),
    DoesNotFit: (),
    CheckFailed: (),
    Undecided: (),
}
"""Error -> the arguments that it is made of; none: its message."""

_PLAIN = (str, int, float, bool, type(None))


class AsShown(str):
    """A value of which only its text is known; errors print it as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_FORMS: Mapping[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "shown": AsShown}


def error_as_data(error: PrisamError) -> dict[str, Any]:
    """Return an error as JSON has it; the reverse of `error_from_data`."""
    kind = next((each for each in _FIELDS if isinstance(error, each)), PrisamError)
    names = _FIELDS.get(kind, ())
    arguments = [_as_data(getattr(error, name)) for name in names] or [_as_data(str(error))]
    return {"kind": kind.__name__, "arguments": arguments}


def error_from_data(data: Mapping[str, Any]) -> PrisamError:
    """Return the error that `error_as_data` was given; its message is the same."""
    kinds: dict[str, Callable[..., PrisamError]]
    kinds = {kind.__name__: kind for kind in (*_FIELDS, PrisamError)}
    return kinds[data["kind"]](*map(_from_data, data["arguments"]))


def _as_data(value: object) -> dict[str, Any]:
    """Return a plain value, or a list or tuple of plain values; of others what errors print."""
    if type(value) in _PLAIN:
        return {"plain": value}
    if isinstance(value, list | tuple) and all(type(each) in _PLAIN for each in value):
        return {type(value).__name__: list(value)}
    return {"shown": repr(value)}


def _from_data(data: Mapping[str, Any]) -> Any:
    ((form, value),) = data.items()
    return value if form == "plain" else _FORMS[form](value)
