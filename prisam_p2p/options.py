"""Command-line options made from the run's settings: one list, so help and files agree."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from prisam_p2p.settings import RunSettings

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(command: Command) -> Command:
    """Add an option for every field of RunSettings; one that is not given is None."""
    for name, field in reversed(RunSettings.model_fields.items()):
        command = _option(name, field)(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    kind = _plain_type(field.annotation)
    flag = f"--{name.replace('_', '-')}"
    text = (field.description or "") + _default(field.default)
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    return click.option(flag, name, type=_click_type(kind), default=None, help=text)


def _click_type(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return click.Choice([member.value for member in kind])
    if kind is Path:
        return click.Path(path_type=Path)
    return {int: click.INT, float: click.FLOAT}.get(kind, click.STRING)


def _plain_type(annotation: Any) -> Any:
    """Return T of `T | None` and of Annotated[T, ..]."""
    if get_origin(annotation) is UnionType:
        (annotation,) = (each for each in get_args(annotation) if each is not NoneType)
    return annotation


def _default(default: object) -> str:
    if default is None:
        return ""  # the description says in brackets where it comes from
    if isinstance(default, bool):
        default = "on" if default else "off"
    return f" [{default}]"
