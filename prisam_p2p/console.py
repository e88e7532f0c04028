"""Tables and lines for people, as wide as the output allows: the one place that decides what fits.

Nothing is ever cut. A table that is too wide for a terminal wraps its prose between words, then
leaves out columns from the right, so that tables put what matters least there; columns that name
the thing that a row is about are never left out, and a line says which ones were. Without a
terminal (a pipe, a file) all columns are shown, unless the variable COLUMNS gives a width.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import compress

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
_UNLIMITED = 1_000_000

Row = Sequence[str]


@dataclass(frozen=True)
class TableColumn:
    """A column of a printed table.

    Attributes:
        right: whether its cells are aligned to the right, as numbers are.
        wraps: whether its cells are prose, which may be wrapped between words.
        keeps: whether it is shown however narrow the terminal is: it names what the row is about.
    """

    title: str
    right: bool = False
    wraps: bool = False
    keeps: bool = False


def output_width() -> int | None:
    """Return the columns of stdout; None: as many as needed."""
    given = os.environ.get("COLUMNS", "")
    if (given.isdigit() and int(given) > 0) or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def print_table(columns: Sequence[TableColumn], rows: Sequence[Row]) -> None:
    """Print a table, with the columns that fit."""
    sys.stdout.write(table_text(columns, rows, output_width()))


def print_line(text: str) -> None:
    """Print a line of text; a terminal gets it wrapped between words."""
    sys.stdout.write(wrapped(text, output_width()))


def wrapped(text: str, width: int | None) -> str:
    """Return text wrapped between words to `width`, None: not at all; a newline ends it."""
    return _rendered(Text(text), max(width or _UNLIMITED, _longest_word(text)))


def table_text(columns: Sequence[TableColumn], rows: Sequence[Row], width: int | None) -> str:
    """Return a table as text, with a newline at its end.

    Args:
        rows: a text for each column.
        width: longest line allowed; None: no limit.
    """
    cells = [[column.title, *texts] for column, *texts in zip(columns, *rows, strict=True)]
    needs = [max(map(cell_len, each)) for each in cells]
    least = [
        max(cell_len(column.title), *map(_longest_word, each)) if column.wraps else need
        for column, each, need in zip(columns, cells, needs, strict=True)
    ]
    shown = columns_that_fit(least, [each.keeps for each in columns], width)
    widths = _shared_out(list(compress(least, shown)), list(compress(needs, shown)), width)
    table = Table(box=box.SIMPLE, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for column, column_width in zip(compress(columns, shown), widths, strict=True):
        justify = "right" if column.right else "left"
        table.add_column(Text(column.title), justify=justify, width=column_width)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(Text, compress(row, shown)))
    left_out = [each.title for each, there in zip(columns, shown, strict=True) if not there]
    note = f"too narrow for: {', '.join(left_out)}" if left_out else ""
    return _rendered(table, _total(widths)) + (wrapped(note, width) if note else "")


def columns_that_fit(widths: Sequence[int], keeps: Sequence[bool], width: int | None) -> list[bool]:
    """Return which columns of these widths a line of `width` (None: no limit) has room for.

    Columns that are wider than the line go first, then those furthest to the right; those that
    `keeps` names never.
    """
    if width is None:
        return [True] * len(widths)
    shown = [keep or each <= width for each, keep in zip(widths, keeps, strict=True)]
    for i in reversed(range(len(widths))):
        if _total(list(compress(widths, shown))) <= width:
            break
        shown[i] = keeps[i]
    return shown


def _shared_out(least: Sequence[int], needs: Sequence[int], width: int | None) -> list[int]:
    """Return the widths of columns: what they need, or their share of what is left of `width`."""
    widths = list(least)
    left = _UNLIMITED if width is None else max(0, width - _total(least))
    wanting = sorted(range(len(needs)), key=lambda i: needs[i] - least[i])
    for n_before, i in enumerate(wanting):
        share = min(needs[i] - least[i], left // (len(wanting) - n_before))
        widths[i] += share
        left -= share
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * max(0, len(widths) - 1)


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _rendered(what: Table | Text, width: int) -> str:
    file = StringIO()
    # In a notebook, rich would show the text there instead of writing it.
    Console(file=file, width=max(1, width), force_jupyter=False).print(what)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
