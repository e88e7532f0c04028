"""Prints a benchmark's table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows of text and numbers; the first column names what a row is about."""
    from prisam_p2p.console import TableColumn, print_table  # here: it takes `--help` time

    first, *others = titles
    columns = [TableColumn(first, wraps=True, keeps=True)]
    columns += [TableColumn(each, right=True) for each in others]
    print_table(columns, [[*map(_text, row)] for row in rows])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
