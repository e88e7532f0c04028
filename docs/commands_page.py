"""The page of all commands: what `--help` prints. conf.py adds it to reference/commands.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from prisam_p2p.cli import main
from prisam_p2p.command_group import COMMANDS

_WIDTH = 100


def commands_page() -> str:
    """Return a section for each command, below the headings of `prisam --help`, as Markdown."""
    root = _context(main, "prisam")
    lines = list(_help(root))
    for heading, names in COMMANDS.items():
        lines += [f"## {heading}", ""]
        for name in names:
            lines += _sections(main.commands[name], name, root)
    return "\n".join(lines)


def _sections(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """Yield the lines of a command's section; those of its own commands follow."""
    context = _context(command, name, parent)
    yield from (f"### `{context.command_path}`", "")
    yield from _help(context)
    if isinstance(command, click.Group):
        for own, each in command.commands.items():
            yield from _sections(each, own, context)


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(command, parent, name, terminal_width=_WIDTH, **command.context_settings)


def _help(context: click.Context) -> Iterator[str]:
    yield from ("```text", context.get_help(), "```", "")
