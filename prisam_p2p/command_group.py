"""What all commands share: errors in one line with their exit codes, and a list under headings."""

from __future__ import annotations

import select
import sys
from typing import Any

import click

from prisam_p2p.errors import PrisamError
from prisam_p2p.options import GroupedCommand
from prisam_p2p.system.refusals import refusal_of, refused
from prisam_p2p.system.stop_requests import EXIT_INTERRUPTED, raising_when_asked

COMMANDS = {
    "Run": ("launch", "resume", "experiment", "soak", "privacy"),
    "Look at a run": ("view", "report", "trace", "export", "summary", "bytes", "sql", "verify"),
    "Before a run": ("init", "list", "plan", "check", "doctor", "bench"),
}
"""Heading -> the commands below it, as `prisam --help` and the documentation list them."""


class TellsErrors(click.Command):
    """Turns a PrisamError into its exit code and one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            with raising_when_asked():
                return self._invoke(ctx)
        except KeyboardInterrupt:  # outside of a run: nothing is left to end
            sys.exit(EXIT_INTERRUPTED)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # else what this meets is told by Python, after the end
            return result
        except BrokenPipeError as error:
            if _is_read():
                sys.exit(_told(error))
            raise  # click then ends without a word, as `prisam .. | head` expects
        except PrisamError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except Exception as error:
            sys.exit(_told(error))


def _is_read() -> bool:
    """Tell whether what we print can be read: a pipe's reader may have ended."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # errors are reported without being asked for
    return not any(event & select.POLLERR for _, event in poll.poll(0))


def _told(error: Exception) -> int:
    """Tell what the system refused, in one line; return the exit code. A bug of ours is raised."""
    if shortage := refusal_of(error):
        click.echo(f"error: {shortage}", err=True)
        return shortage.exit_code
    if not isinstance(error, OSError):
        raise error
    click.echo(f"error: {refused(error)}", err=True)
    return PrisamError.exit_code


class Command(TellsErrors, GroupedCommand):
    """One of our commands."""


class Commands(TellsErrors, click.Group):
    """Holds our commands, and lists them under headings."""

    command_class = Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click."""
        width = max(map(len, self.commands))
        for heading, names in COMMANDS.items():
            with formatter.section(heading):
                rows = [(n.ljust(width), self.commands[n].get_short_help_str(90)) for n in names]
                formatter.write_dl(rows)
