"""Prints a benchmark's table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from prisam_p2p.console import console


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows of text and numbers."""
    table = Table(box=None, header_style="bold")
    for i, title in enumerate(titles):
        table.add_column(title, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*map(_text, row))
    console().print(table)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
