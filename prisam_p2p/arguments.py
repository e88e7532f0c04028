"""Command-line arguments that are names of files or runs, with what a shell completes them to.

They stay text here. The commands look names up, so that errors are theirs.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from prisam_p2p.plan.named_files import (
    EXPERIMENT_FILES,
    FAULT_FILES,
    TOPOLOGY_FILES,
    NamedFiles,
)


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


TOPOLOGY = FileName(TOPOLOGY_FILES)
FAULTS = FileName(FAULT_FILES)
EXPERIMENT = FileName(EXPERIMENT_FILES)

DEFAULT_TOPOLOGY = "clusters-12"


def topology_file(text: str) -> Path:
    """Return the file that the argument TOPOLOGY names."""
    return TOPOLOGY_FILES.find(text, "TOPOLOGY")


def faults_file(text: str) -> Path:
    """Return the file that the option --faults names."""
    return FAULT_FILES.find(text, "--faults")


def experiment_file(text: str) -> Path:
    """Return the file that the argument FILE of `prisam experiment` names."""
    return EXPERIMENT_FILES.find(text, "FILE")
