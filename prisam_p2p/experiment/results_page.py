"""results.html: an experiment's tables, figures and cells as one page that asks for nothing else.

It is made of what stands in the experiment's folder (results.md, figures/, cells/), so it says what
results.md says, and can be made again of a folder from a stranger: nothing there is run. The page
has no script. Every figure stands in it as matplotlib drew it; its values are a table beside it.
"""

from __future__ import annotations

import base64
import csv
import json
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prisam_p2p.errors import ConfigError, Undecided
from prisam_p2p.experiment.cell_folder import cell_folders
from prisam_p2p.experiment.cell_reports import write_cell_reports
from prisam_p2p.experiment.code_digest import is_stale, present_code
from prisam_p2p.experiment.markdown_html import html_of, sections, table_html
from prisam_p2p.measure.files import write_whole
from prisam_p2p.page.plain import plain_page

EXPERIMENT, RESULTS, PAGE = "experiment.toml", "results.md", "results.html"
_MOST_ROWS = 500
_SHOWN = {
    "accuracy_deployed": ("test accuracy, deployed", 3),
    "ari": ("ARI of the groups", 3),
    "sent_mib": ("on the wire, MiB", 1),
    "duration_s": ("duration, s", 1),
}
"""Measure -> its head and decimals in the table of cells; tables/cells.csv has all measures."""
_NO_REPORT = (
    "A cell without a link has no report. The command beside it, run in this page's folder, "
    "writes one; <code>prisam report</code> of the folder itself then writes this page anew."
)


def is_experiment(path: Path) -> bool:
    """Tell whether a folder is an experiment's, and not a run's."""
    return (path / EXPERIMENT).is_file() and not (path / "plan.json").exists()


def write_pages(out: Path, cell_reports: bool) -> Path:
    """Write OUT/results.html anew, and before it the cells' reports; return the page's path.

    Raises:
        ConfigError: no experiment has written its results in this folder.
    """
    if cell_reports:
        write_cell_reports(out)
    return write_results_page(out)


def write_results_page(out: Path) -> Path:
    """Write OUT/results.html anew and return its path.

    Raises:
        ConfigError: no experiment has written its results in this folder.
    """
    try:
        head, found = sections((out / RESULTS).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        right = f"the {RESULTS} of an experiment: prisam experiment FILE --tables-only writes it"
        raise ConfigError(str(out), RESULTS, str(error.strerror), right) from error
    title = next((line.removeprefix("# ") for line in head if line.startswith("# ")), out.name)
    lines = [line for line in head if not line.startswith("# ")]

    def figure(name_of: str, name: str) -> str:
        return _figure(out, name_of, name)

    parts = [
        *((heading, html_of(body, figure)) for heading, body in found),
        ("Every cell", _cells(out)),
    ]
    page = plain_page("PRISAM experiment", title, html_of(lines, figure), parts)
    write_whole(out / PAGE, page)
    return out / PAGE


def _figure(out: Path, title: str, name: str) -> str:
    """Return a figure as it was drawn, with its values and links to its files."""
    folder = out / "figures"
    try:
        drawn = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode()
    except OSError:
        return f'<p class="empty">figures/{escape(name)}.svg is not there: {escape(title)}</p>'
    files = ", ".join(
        f'<a href="figures/{quote(name)}.{ending}">{ending.upper()}</a>'
        for ending in ("svg", "png", "pdf", "csv")
        if (folder / f"{name}.{ending}").exists()
    )
    return (
        f'<figure><img class="drawn" alt="{escape(title)}; its values stand in the table below" '
        f'src="data:image/svg+xml;base64,{drawn}">'
        f'<figcaption class="note">Files beside this page: {files}</figcaption>'
        f"{_values(folder / f'{name}.csv')}</figure>"
    )


def _values(path: Path) -> str:
    """Return a figure's values as a table that opens on demand; empty if it has no CSV."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            titles, *rows = [*csv.reader(file)] or [[]]
    except (OSError, csv.Error):
        return ""
    right = [_is_number(value) for value in rows[0]] if rows else []
    shown = [[_rounded(value) for value in row] for row in rows[:_MOST_ROWS]]
    left = len(rows) - len(shown)
    note = f'<p class="note">{left:,} more rows stand in the CSV.</p>' if left else ""
    return (
        f"<details><summary>Table of the {len(rows):,} values</summary>"
        f"{table_html(titles, right, shown)}{note}</details>"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rounded(text: str) -> str:
    return f"{float(text):.6g}" if _is_number(text) and "." in text else text


def _cells(out: Path) -> str:
    """Return the table of all cells that have begun, each with a link to its run's report."""
    cells = cell_folders(out)
    if not cells:
        return '<p class="empty">No cell has begun.</p>'
    records = [_json_of(cell.path / "cell.json") for cell in cells]
    axes = [*dict.fromkeys(axis for record in records for axis in _part(record, "labels"))]
    titles = [*axes, *(head for head, _ in _SHOWN.values()), "ended", "code", "its run"]
    right = [*(False for _ in axes), *(True for _ in _SHOWN), False, False, False]
    links = [
        quote(str(cell.report.relative_to(out))) if cell.report.exists() else None for cell in cells
    ]
    rows = []
    for cell, record, link in zip(cells, records, links, strict=True):
        labels, values = _part(record, "labels"), _part(_json_of(cell.measures), "values")
        numbers = (_number(values.get(name), decimals) for name, (_, decimals) in _SHOWN.items())
        command = f"prisam report {(cell.path / 'run').relative_to(out)}"
        rows.append(
            [
                *(str(labels.get(axis, "-")) for axis in axes),
                *numbers,
                _ended(_part(record, "ending").get("exit_code")),
                _code(record),
                "report" if link else command,
            ]
        )
    note = "" if all(links) else f"<p>{_NO_REPORT}</p>"
    return f"{note}{table_html(titles, right, rows, links)}"


def _ended(exit_code: object) -> str:
    match exit_code:
        case None:
            return "cut off"
        case 0:
            return "done"
        case Undecided.exit_code:
            return "done; some checks are undecided"
        case _:
            return f"failed, exit code {exit_code}"


def _code(record: dict[str, Any]) -> str:
    """Return the digests of the code that made a cell, and whether it is other code than now."""
    noted = record.get("code_digests")
    digests = [str(each) for each in noted] if isinstance(noted, list) else []
    shown = " and ".join(digests) or "unknown"
    return f"{shown} (stale)" if is_stale(digests, present_code()) else shown


def _json_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one where there is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(record: dict[str, Any], key: str) -> dict[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def _number(value: object, decimals: int) -> str:
    return f"{value:,.{decimals}f}" if isinstance(value, int | float) else "-"
