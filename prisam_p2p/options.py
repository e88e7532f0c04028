"""Command-line options made from the run's settings, and help that lists them by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from prisam_p2p.arguments import CodeName
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.catalog import DATASETS, MODELS
from prisam_p2p.settings import REMOVED, RENAMED, Heading, RunSettings, about

Command = TypeVar("Command", bound=Callable[..., Any])

_MORE = "The other settings: --help-all, or docs/settings.md."
_UNGROUPED = "Options"
_BUILT_IN = {"model": MODELS, "dataset": DATASETS}
"""Settings that are free text -> their built-in names."""
_CHOICES_IN_METAVAR = 5
"""More of them do not fit into the left column of help."""

_RENAMED_OPTIONS = {**RENAMED, "twin": "control_run"}


class GroupedOption(click.Option):
    """An option that help lists under a heading; the short help leaves it out if not `common`."""

    def __init__(self, *args: Any, group: str, common: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group, self.common = group, common


class GroupedCommand(click.Command):
    """A command whose short help leaves out settings that few people change."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options, and the common settings by group. See click."""
        self._list_options(ctx, formatter, everything=False)
        if any(isinstance(each, GroupedOption) and not each.common for each in self.params):
            formatter.write_paragraph()
            formatter.write_text(_MORE)

    def full_help(self, ctx: click.Context) -> str:
        """Return the help with every setting."""
        formatter = ctx.make_formatter()
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self._list_options(ctx, formatter, everything=True)
        return formatter.getvalue().rstrip("\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name what is right in place of an option that earlier versions had. See click."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            old = error.option_name.removeprefix("--").replace("-", "_")
            if new := _RENAMED_OPTIONS.get(old):
                now = f"It is now {option_name(new)!r}."
            elif old in REMOVED:
                now = f"It was one, and is fixed: {REMOVED[old]}."
            else:
                raise
            message = f"No such option {error.option_name!r}. {now}"
            raise click.UsageError(message, ctx) from None

    def _list_options(
        self, ctx: click.Context, formatter: click.HelpFormatter, everything: bool
    ) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            if not isinstance(option, click.Option) or not (row := option.get_help_record(ctx)):
                continue
            heading = _UNGROUPED
            if isinstance(option, GroupedOption):
                heading = option.group
                if not (everything or option.common):
                    continue
            groups.setdefault(heading, []).append(row)
        for heading in sorted(groups, key=_place):
            with formatter.section(heading):
                formatter.write_dl(groups[heading])


def _place(heading: str) -> int:
    """Return where a heading stands: a command's own headings come first."""
    order = (*Heading, "Faults", "Code", "Output", _UNGROUPED)
    return order.index(heading) if heading in order else -1


def option_in(group: str, *args: Any, **kwargs: Any) -> Callable[[Command], Command]:
    """Return click's option, listed under the heading `group`."""
    return click.option(*args, cls=GroupedOption, group=group, **kwargs)


def settings_options(command: Command) -> Command:
    """Add an option for every field of RunSettings, and --help-all; one not given is None."""
    command = click.option(
        "--help-all",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_full_help,
        help="Show the help with all settings and exit.",
    )(command)
    for name, field in reversed(RunSettings.model_fields.items()):
        command = _option(name, field)(command)
    return command


def some_settings(*names: str, unset: str) -> Callable[[Command], Command]:
    """Return what adds options for these fields of RunSettings; one not given is None.

    Args:
        unset: what holds where an option is not given.
    """

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = _option(name, RunSettings.model_fields[name], unset)(command)
        return command

    return add


def table_or_json(command: Command) -> Command:
    """Add --format, whose value the command gets as `output`."""
    return option_in(
        "Output",
        "--format",
        "output",
        type=click.Choice(["table", "json"]),
        default="table",
        help="Output. [table]",
    )(command)


def trust_option(command: Command) -> Command:
    """Add --trust-code."""
    return option_in(
        "Code",
        "--trust-code",
        is_flag=True,
        help="Run the code (module:attribute, file.py:attribute) that the file names, too. What "
        "the command line names is run anyway. docs/extending.md",
    )(command)


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among `options` that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def option_name(setting: str) -> str:
    """Return --images-per-peer for images_per_peer."""
    return f"--{setting.replace('_', '-')}"


def plain_type(annotation: Any) -> Any:
    """Return T of `T | None`, and of `T | str`, a choice that users' code can extend."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(each for each in get_args(annotation) if each is not NoneType)
    return annotation


def choices(field: FieldInfo) -> list[str]:
    """Return the words that a setting can be, none where it is a number, a flag or free text."""
    kind = plain_type(field.annotation)
    if not (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return []
    return [*([about(field).unset] if field.default is None else []), *map(str, kind)]


def default_text(field: FieldInfo) -> str:
    """Return a setting's default in words; where it is None, what then holds."""
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    return str(about(field).unset if field.default is None else field.default)


def _option(name: str, field: FieldInfo, unset: str | None = None) -> Callable[[Command], Command]:
    kind, flag, says = plain_type(field.annotation), option_name(name), about(field)
    default = unset or default_text(field)
    common: dict[str, Any] = {
        "common": says.common,
        "default": None,
        "help": f"{field.description}{f' [{default}]' if default else ''}",
    }
    if kind is bool:
        return option_in(says.group, f"{flag}/--no-{flag[2:]}", name, **common)
    choice = _click_type(name, field)
    if says.code:
        common["metavar"] = "NAME|CODE"
    elif isinstance(choice, click.Choice) and len(choice.choices) > _CHOICES_IN_METAVAR:
        common["metavar"] = "NAME"
    return option_in(says.group, flag, name, type=choice, **common)


def _click_type(name: str, field: FieldInfo) -> Any:
    kind = plain_type(field.annotation)
    names = choices(field) or list(_BUILT_IN.get(name, ()))
    if code := about(field).code:  # the settings refuse what is neither a name nor code
        return CodeName(CodeKind(code), names)
    if names:
        return click.Choice(names)
    if kind is Path:
        return click.Path(path_type=Path)
    return {int: click.INT, float: click.FLOAT}.get(kind, click.STRING)


def _show_full_help(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        assert isinstance(ctx.command, GroupedCommand)
        click.echo(ctx.command.full_help(ctx))
        ctx.exit()
