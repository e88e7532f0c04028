"""The progress of a run as text on stderr: a bar that is redrawn, or a line whenever there is news.

A bar is redrawn with a carriage return, which terminals and notebooks understand. Anything else
(a file, a test's report) gets lines.
"""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

from prisam_p2p.python_api.messages import LaunchAdvanced

_BAR = 20


class ProgressLine:
    """Shows a run's progress on `file`, None = the present sys.stderr."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = sys.stderr if file is None else file
        self._redraws = self._file.isatty() or _in_a_notebook()
        self._drawn = 0
        self._last: tuple[object, ...] = ()

    def show(self, news: LaunchAdvanced) -> None:
        """Show how far the run is."""
        if self._redraws:
            self._draw(bar(news, shutil.get_terminal_size().columns))
        elif self._last != (now := (news.label, news.phase, news.round)):
            self._last = now
            self.say(f"{news.label}: {news.line}\n")

    def say(self, text: str) -> None:
        """Write text, a line, above the bar."""
        self.end()
        self._file.write(text)
        self._file.flush()

    def end(self) -> None:
        """Leave the bar as it is: what follows begins on a line of its own."""
        if self._drawn:
            self._file.write("\n")
            self._drawn = 0

    def _draw(self, text: str) -> None:
        self._file.write(f"\r{text.ljust(self._drawn)}")
        self._file.flush()
        self._drawn = len(text)


def bar(news: LaunchAdvanced, width: int) -> str:
    """Return the progress as a line of at most `width` characters."""
    share = news.done / news.total if news.total else 0.0
    filled = round(share * _BAR)
    text = f"{news.label} {share:4.0%} |{'#' * filled}{'-' * (_BAR - filled)}| {news.line}"
    return text if len(text) < width else f"{text[: width - 3]}.."


def _in_a_notebook() -> bool:
    """Tell whether a notebook shows what is printed; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
