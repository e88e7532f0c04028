"""Shows how far an experiment is: cells done, what runs, the time left."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


@dataclass(frozen=True)
class View:
    """An experiment's state.

    Attributes:
        running: name -> share of its rounds that are over.
        left_s: seconds until all cells are done, None while nothing is known.
    """

    phase: str
    cells: int
    done: int
    failed: int
    running: dict[str, float]
    left_s: float | None

    def line(self) -> str:
        """Return the view as one line of text."""
        parts = [f"{name} {share:.0%}" for name, share in self.running.items()]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{duration(self.left_s)} left" if self.left_s is not None else "time left: ?")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return seconds as 1:02:03."""
    return str(timedelta(seconds=round(seconds)))


class Observer(Protocol):
    """Shows an experiment's progress."""

    def show(self, view: View) -> None:
        """Time has passed."""

    def say(self, text: str) -> None:
        """A cell ended, or something else happened that is worth a line."""

    def end(self) -> None:
        """It is over."""


class Lines:
    """Writes a line to stderr for what happens."""

    def __init__(self) -> None:
        self._view: View | None = None

    def show(self, view: View) -> None:
        """See Observer."""
        self._view = view

    def say(self, text: str) -> None:
        """See Observer."""
        state = ""
        if self._view:
            state = f" [{self._view.phase} {self._view.done}/{self._view.cells}"
            known = self._view.left_s is not None
            state += f", {duration(self._view.left_s or 0.0)} left]" if known else "]"
        print(f"{text}{state}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """See Observer."""


class Bar:
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

    def show(self, view: View) -> None:
        """See Observer."""
        self._bar.update(
            self._task,
            description=view.phase,
            total=view.cells,
            completed=view.done + view.failed,
            line=view.line(),
            refresh=True,
        )

    def say(self, text: str) -> None:
        """See Observer."""
        self._bar.console.print(text, markup=False, highlight=False)

    def end(self) -> None:
        """See Observer."""
        self._bar.stop()


def observer() -> Observer:
    """Return what suits where stderr goes."""
    return Bar() if sys.stderr.isatty() else Lines()
