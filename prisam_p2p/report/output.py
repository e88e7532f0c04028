"""Tables for people and for programs: printed, or written to a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from prisam_p2p.console import TableColumn, output_width, table_text
from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.run_tables import Table

FORMATS = ("table", "json", "csv", "parquet")
_NUMBERS = ("BIGINT", "DOUBLE", "INTEGER", "HUGEINT", "DECIMAL")
_IDS = ("peer", "sender", "receiver", "neighbor", "donor")
"""Columns that a narrow terminal keeps, as it does the first one of any table."""


def needs_a_file(output: str, out: Path | None) -> None:
    """Refuse a binary format without a file to write to.

    Raises:
        ConfigError: Parquet without --out.
    """
    if output == "parquet" and out is None:
        raise ConfigError("--out", "", "", "a file to write Parquet to")


def as_text(table: Table, output: str, out: Path | None = None) -> str:
    """Return a table as text, with a newline at its end: table, json or csv.

    Args:
        out: where the text will go (see `give`); a file has all columns.
    """
    match output:
        case "json":
            names = list(table.columns)
            rows = [dict(zip(names, row, strict=True)) for row in table.rows]
            return as_json(rows)
        case "csv":
            return _as_csv(table)
        case _:
            return _as_columns(table, None if out else output_width())


def as_json(value: object) -> str:
    """Return `value` as indented JSON; dates and decimals, which queries can return, as text."""
    return json.dumps(value, indent=1, default=str) + "\n"


def give(text: str, out: Path | None) -> None:
    """Print `text`, or write it to `out`."""
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text)


def _as_csv(table: Table) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value


def _as_columns(table: Table, width: int | None) -> str:
    columns = [
        TableColumn(
            name,
            right=(number := kind.startswith(_NUMBERS)),
            wraps=not number,
            keeps=i == 0 or name in _IDS,
        )
        for i, (name, kind) in enumerate(table.columns.items())
    ]
    return table_text(columns, [[*map(_shown, row)] for row in table.rows], width)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".")
        case list() | dict():
            return json.dumps(value, default=str)
        case _:
            return str(value)
