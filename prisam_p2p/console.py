"""The console that tables are printed to."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

_WIDTH = 130
"""Columns if the output is not a terminal."""


def console(file: TextIO | None = None) -> Console:
    """Return a console as wide as the terminal that the output goes to; it writes to `file`."""
    return Console(file=file, width=None if sys.stdout.isatty() else _WIDTH)
