"""Show the progress of an experiment: cells done, running cells, and the time left."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


@dataclass(frozen=True)
class GridProgress:
    """The progress of an experiment.

    Attributes:
        phase: "tuning" or "cells".
        cells, done, failed: numbers of all, of finished and of failed cells.
        running: name -> share of its rounds that are done.
        left_s: seconds until all cells are done, None if unknown.
    """

    phase: str
    cells: int
    done: int
    failed: int
    running: dict[str, float]
    left_s: float | None

    def line(self) -> str:
        """Return running cells, failures and time left as one line."""
        parts = [f"{name} {share:.0%}" for name, share in self.running.items()]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{duration(self.left_s)} left" if self.left_s is not None else "time left: ?")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return seconds as 1:02:03."""
    return str(timedelta(seconds=round(seconds)))


class GridObserver(Protocol):
    """Shows an experiment's progress."""

    def show(self, progress: GridProgress) -> None:
        """Show the present progress; called about once a second."""

    def say(self, text: str) -> None:
        """Print a line, such as that a cell ended."""

    def end(self) -> None:
        """End the display."""


class LineObserver:
    """Writes a line to stderr for each event."""

    def __init__(self) -> None:
        self._progress: GridProgress | None = None

    def show(self, progress: GridProgress) -> None:
        """See GridObserver."""
        self._progress = progress

    def say(self, text: str) -> None:
        """See GridObserver."""
        state = ""
        if self._progress:
            state = f" [{self._progress.phase} {self._progress.done}/{self._progress.cells}"
            known = self._progress.left_s is not None
            state += f", {duration(self._progress.left_s or 0.0)} left]" if known else "]"
        print(f"{text}{state}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """See GridObserver."""


class BarObserver:
    """Draws a progress bar on a terminal."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[line]}"),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=None, line="")
        self._bar.start()

    def show(self, progress: GridProgress) -> None:
        """See GridObserver."""
        self._bar.update(
            self._task,
            description=progress.phase,
            total=progress.cells,
            completed=progress.done + progress.failed,
            line=progress.line(),
            refresh=True,
        )

    def say(self, text: str) -> None:
        """See GridObserver."""
        self._bar.console.print(text, markup=False, highlight=False)

    def end(self) -> None:
        """See GridObserver."""
        self._bar.stop()


def observer() -> GridObserver:
    """Return a progress bar if stderr is a terminal, else lines of text."""
    return BarObserver() if sys.stderr.isatty() else LineObserver()
