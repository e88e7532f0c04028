"""Where tables for people are printed."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

_WIDTH = 130
"""Columns where the output is no terminal."""


def console(file: TextIO | None = None) -> Console:
    """Return a console as wide as the terminal that the output goes to; it writes to `file`."""
    return Console(file=file, width=None if sys.stdout.isatty() else _WIDTH)
