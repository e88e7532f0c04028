"""Results as HTML for notebooks. Every text is escaped: a run folder may come from a stranger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_MOST_ROWS = 60


def table_html(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table; of a long one, the first rows and how many are left out."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:_MOST_ROWS])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    left_out = len(rows) - _MOST_ROWS
    return table + (paragraphs([f"and {left_out:,} more rows"]) if left_out > 0 else "")


def paragraphs(lines: Iterable[str]) -> str:
    """Return lines of text as paragraphs."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        text = f"{value:,.4f}".rstrip("0").rstrip(".")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}"
    else:
        text = "" if value is None else str(value)
    right = ' style="text-align: right"' if isinstance(value, int | float) else ""
    return f"<td{right}>{escape(text)}</td>"
