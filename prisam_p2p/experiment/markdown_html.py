"""results.md as HTML: headings, paragraphs, lists, tables and figures, and nothing else. Pure.

Everything in it is text: labels and reasons of an experiment may be a stranger's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby, zip_longest

from prisam_p2p.experiment.printed_results import table_cells

_IMAGE = re.compile(r"!\[(?P<title>.*)\]\(figures/(?P<name>[\w.-]+)\.png\)")
_HEADING = "### "

FigureHtml = Callable[[str, str], str]
"""(title, name of its files) -> the figure's HTML."""


def sections(markdown: str) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the lines before the first section, and each section: its heading and its lines."""
    head: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for line in markdown.splitlines():
        if line.startswith(_HEADING):
            found.append((line.removeprefix(_HEADING), []))
        else:
            (found[-1][1] if found else head).append(line)
    return head, found


def html_of(lines: Sequence[str], figure: FigureHtml) -> str:
    """Return lines of Markdown as HTML; a line `![title](figures/NAME.png)` as `figure` says."""
    parts = []
    for kind, group in groupby(lines, key=_kind):
        found = [*group]
        if kind == "table":
            titles, rules, *rows = map(table_cells, found)
            parts.append(table_html(titles, [rule.endswith(":") for rule in rules], rows))
        elif kind == "list":
            items = "".join(f"<li>{escape(line.removeprefix('- '))}</li>" for line in found)
            parts.append(f"<ul>{items}</ul>")
        elif kind == "text":
            parts += [_line_html(line, figure) for line in found]
    return "\n".join(parts)


def table_html(
    titles: Sequence[str],
    right: Sequence[bool],
    rows: Sequence[Sequence[str]],
    links: Sequence[str | None] = (),
) -> str:
    """Return a table of texts.

    Args:
        right: whether a column has numbers, which stand to the right.
        links: the address that a row's last cell links to; None: no link.
    """
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = []
    for i, row in enumerate(rows):
        cells = [escape(cell) for cell in row]
        if i < len(links) and (address := links[i]) is not None:
            cells[-1] = f'<a href="{escape(address)}">{cells[-1]}</a>'
        marked = (
            f'<td class="number">{cell}</td>' if number else f"<td>{cell}</td>"
            for cell, number in zip_longest(cells, right[: len(cells)], fillvalue=False)
        )
        body.append(f"<tr>{''.join(marked)}</tr>")
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _kind(line: str) -> str:
    if line.startswith("|"):
        return "table"
    if line.startswith("- "):
        return "list"
    return "text" if line.strip() else "empty"


def _line_html(line: str, figure: FigureHtml) -> str:
    found = _IMAGE.fullmatch(line)
    return figure(found["title"], found["name"]) if found else f"<p>{escape(line)}</p>"
