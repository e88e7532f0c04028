"""Command-line arguments that are names, what a shell completes them to, and what they mean.

Click leaves them text; commands look them up as they begin, so that errors are ConfigErrors.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.installed import installed
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.plan.named_files import (
    EXPERIMENT_FILES,
    FAULT_FILES,
    TOPOLOGY_FILES,
    NamedFiles,
)
from prisam_p2p.report.run_choice import RUNS, choose_run, runs_in


class FileName(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """The short name of a file, or a path."""

    name = "name or path"

    def __init__(self, files: NamedFiles) -> None:
        self._files = files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so; where none does, let the shell complete a path."""
        names = [name for name in self._files.known() if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


class RunName(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """A run folder, or the beginning of the name of one in ./runs."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the runs that begin so, the newest first; else let the shell complete a path."""
        runs = [run.name for run in runs_in(RUNS) if run.name.startswith(incomplete)]
        return [CompletionItem(name) for name in runs] or [CompletionItem(incomplete, type="dir")]


class CodeName(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """A built-in name, the name of an installed entry point, or a reference to users' code."""

    name = "name or code"

    def __init__(self, kind: CodeKind, built_in: Iterable[str]) -> None:
        self._kind, self._built_in = kind, list(built_in)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so; where none does, let the shell complete a path."""
        known = dict.fromkeys([*self._built_in, *installed(self._kind)])
        names = [name for name in known if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


RUN = RunName()
TOPOLOGY = FileName(TOPOLOGY_FILES)
FAULTS = FileName(FAULT_FILES)
EXPERIMENT = FileName(EXPERIMENT_FILES)
ALGORITHM = CodeName(CodeKind.ALGORITHM, Algorithm)

DEFAULT_TOPOLOGY = "clusters-12"


def run_and_query(words: tuple[str, ...]) -> tuple[str | None, str]:
    """Return RUN, None if left out, and QUERY of `prisam sql [RUN] QUERY`."""
    if len(words) not in (1, 2):
        raise click.UsageError(f"expected [RUN] QUERY, one or two arguments, not {len(words)}")
    *run, query = words
    if not run and len(query.split()) < 2:  # a run, more likely
        right = 'a SELECT in quotes, such as "SELECT * FROM ledger LIMIT 5"'
        raise ConfigError("QUERY", "", query, right)
    return (run[0] if run else None), query


def topology_file(text: str) -> Path:
    """Return the file that the argument TOPOLOGY names."""
    return TOPOLOGY_FILES.find(text, "TOPOLOGY")


def faults_file(text: str) -> Path:
    """Return the file that the option --faults names."""
    return FAULT_FILES.find(text, "--faults")


def experiment_file(text: str) -> Path:
    """Return the file that the argument FILE of `prisam experiment` names."""
    return EXPERIMENT_FILES.find(text, "FILE")


def run_folder(given: str | None, where: str = "RUN", besides: Path | None = None) -> Path:
    """Return the run folder that the argument RUN means (`choose_run`).

    Where it was not given in full, says on stderr which it is.
    """
    run = choose_run(given, where, besides)
    if given is None or run != Path(given):
        click.echo(f"{where}: {run}", err=True)
    return run
