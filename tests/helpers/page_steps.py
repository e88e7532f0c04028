"""What tests do with an opened page."""

from __future__ import annotations

from typing import Any


def draw_all(page: Any) -> None:
    """Draw every figure, as scrolling through the whole page does."""
    page.evaluate("prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })")


def open_tables(page: Any) -> None:
    """Open the table behind every figure."""
    page.evaluate(
        "document.querySelectorAll('button[aria-expanded=false]').forEach((it) => it.click())"
    )


def figures(page: Any) -> list[dict[str, Any]]:
    """Return of each figure: id, whether a chart is drawn and how wide, its table's shape."""
    found: list[dict[str, Any]] = page.evaluate(
        """prisam.views.figures().map((each) => {
            const table = each.table();
            return { id: each.id, drawn: Boolean(each.chart), width: each.chart?.getWidth(),
                     columns: table.columns, rows: table.rows.length };
        })"""
    )
    return found
