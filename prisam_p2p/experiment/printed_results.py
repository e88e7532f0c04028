"""An experiment's results on a terminal: their Markdown, with tables that fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from prisam_p2p.console import TableColumn, table_text, wrapped

_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


def fitted(markdown: str, width: int | None) -> str:
    """Return Markdown with tables for a terminal of `width` columns; None: unchanged.

    Columns of numbers are left out from the right where there is no room, those of labels never.
    """
    if width is None:
        return markdown
    parts = []
    for is_table, lines in groupby(markdown.splitlines(), key=lambda line: line.startswith("|")):
        found = [*lines]
        if is_table:
            parts.append(_table(found, width))
        else:
            parts += [wrapped(line, width) for line in found]
    return "".join(parts)


def _table(lines: Sequence[str], width: int) -> str:
    titles, rules, *rows = map(table_cells, lines)
    columns = [
        TableColumn(title, right=rule.endswith(":"), keeps=not rule.endswith(":"))
        for title, rule in zip(titles, rules, strict=True)
    ]
    return table_text(columns, rows, width)


def table_cells(line: str) -> list[str]:
    cells = _BETWEEN_CELLS.split(line.strip().strip("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]
