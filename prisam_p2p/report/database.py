"""Answers one query over tables, in an embedded DuckDB that can reach no file and no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prisam_p2p.errors import ConfigError, PrisamError
from prisam_p2p.measure.files import naming, written_beside
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.output import as_text, give, needs_a_file
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import Table, run_tables
from prisam_p2p.system.refusals import refusal_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# duckdb is imported where it is used: it takes a sixth of a second.

_ONE_SELECT = "one SELECT over the tables of docs/sql.md"


@contextmanager
def open_database(tables: Iterable[Table]) -> Iterator[DuckDBPyConnection]:
    """Yield an in-memory database that holds `tables`."""
    import duckdb

    with duckdb.connect(":memory:") as database, TemporaryDirectory() as folder:
        database.execute("SET python_enable_replacements = false")
        for table in tables:
            _load(database, table, Path(folder) / "rows.json")
        yield database


def write_parquet(table: Table, path: Path) -> None:
    """Write a table to a Parquet file, whole or not at all.

    Raises:
        OSError, ResourceError: it cannot be written, or the temporary files cannot.
    """
    with (
        _shortages(path),
        open_database([table]) as database,
        written_beside(path.absolute()) as part,
    ):
        _copy(database, _quoted(table.name), part)


def select(tables: Iterable[Table], query: str) -> Table:
    """Return the answer to `query`.

    Raises:
        ConfigError: it is not one SELECT, or DuckDB does not accept it.
    """
    with open_database(tables) as database, _query(database, query, []):
        database.execute(query)
        columns = {name: str(kind) for name, kind, *_ in database.description or ()}
        rows = [
            [_plain(value, kind) for value, kind in zip(row, columns.values(), strict=True)]
            for row in database.fetchall()
        ]
    return Table("answer", columns, rows)


def select_to_parquet(tables: Iterable[Table], query: str, path: Path) -> None:
    """Write the answer to `query` to a Parquet file, whole or not at all.

    Raises:
        ConfigError: see `select`.
        OSError, ResourceError: see `write_parquet`.
    """
    source = f"({query.rstrip().rstrip(';')}\n)"
    with (
        _shortages(path),
        open_database(tables) as database,
        written_beside(path.absolute()) as part,
        _query(database, query, [part]),
    ):
        _copy(database, source, part)


@contextmanager
def _query(database: DuckDBPyConnection, query: str, files: Sequence[Path]) -> Iterator[None]:
    """Check `query`, and let it reach `files` and nothing else; turn its errors into a line."""
    import duckdb

    try:
        statements = database.extract_statements(query)
        if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
            raise ConfigError("SQL", "", query, _ONE_SELECT)
        _lock(database, files)
        yield
    except duckdb.Error as error:
        if refusal_in(str(error)):
            raise
        raise ConfigError("SQL", "", query, f"{_ONE_SELECT}: {_line(error)}") from error


def _load(database: DuckDBPyConnection, table: Table, path: Path) -> None:
    """Create a table from a file of JSON lines, which DuckDB reads fast."""
    with naming(path), path.open("w") as file:
        for row in table.rows:
            file.write(json.dumps(dict(zip(table.columns, row, strict=True))) + "\n")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in table.columns.items())
    database.execute(
        f"CREATE TABLE {_quoted(table.name)} AS SELECT * FROM "
        f"read_json(?, format = 'newline_delimited', columns = {{{columns}}})",
        [str(path)],
    )


def _lock(database: DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Let queries reach nothing but `paths` from now on."""
    listed = ", ".join(f"'{_escaped(path)}'" for path in paths)
    database.execute(f"SET allowed_paths = [{listed}]")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")


def _plain(value: Any, kind: str) -> Any:
    return json.loads(value) if kind == "JSON" and value is not None else value


def _copy(database: DuckDBPyConnection, source: str, part: Path) -> None:
    part.touch()  # where that fails, the system's error says more than DuckDB's
    part.unlink()  # or DuckDB would write to yet another file first
    database.execute(f"COPY {source} TO '{_escaped(part)}' (FORMAT parquet)")


@contextmanager
def _shortages(path: Path) -> Iterator[None]:
    """Turn the errors by which DuckDB tells of a full disk, or the like, into one of `path`."""
    try:
        yield
    except (OSError, PrisamError):
        raise
    except Exception as error:  # DuckDB's own, or the loader's of DuckDB
        if shortage := refusal_in(str(error), path):
            raise shortage from error
        raise


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _line(error: Exception) -> str:
    """Return an error's message in one line, without the copy of the query below it."""
    told = str(error).split("\n\nLINE ")[0]
    return "; ".join(line.strip() for line in told.splitlines() if line.strip())


def answer(run: RunFolder, query: str, output: str, out: Path | None) -> None:
    """Print, or write to `out`, the answer to a query over a run's tables (docs/sql.md).

    Raises:
        ConfigError: this is no run folder; the query is not one valid SELECT; or Parquet is asked
            for without a file.
    """
    needs_a_file(output, out)
    tables = run_tables(run, make_ledger(run))
    if output == "parquet" and out is not None:
        select_to_parquet(tables, query, out)
    else:
        give(as_text(select(tables, query), output, out), out)
