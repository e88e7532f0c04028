"""A run as tables: the ledger, its connections, the kernel's sockets, and every journal record."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from prisam_p2p.measure import records
from prisam_p2p.plan.data_groups import predecessor
from prisam_p2p.report.connection_rows import ConnectionRow, connection_rows
from prisam_p2p.report.hosts import RunHosts
from prisam_p2p.report.ledger import Ledger, LedgerRow
from prisam_p2p.report.run_folder import Line, RunFolder

_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN"}
_OF_THE_KERNEL = {records.Socket: "sockets", records.Watch: "watch"}


@dataclass(frozen=True)
class Table:
    """Attributes.

    columns: name -> SQL type (DuckDB's).
    rows: a value for each column; a dict or list where the SQL type is JSON.
    """

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class PeerRow:
    """The plan of a peer, with its first data group; and its host, the last of several.

    `replaces` is the peer whose place it takes during the run; NULL = it is there at first.
    """

    peer: str
    profile: str
    data_group: int | None
    prune_ratio: float
    n_bytes: int
    macs: int
    neighbors: list[str]
    host: str
    replaces: str | None


@dataclass(frozen=True)
class DataGroupRow:
    """A peer is of a data group from `first_round` until before `end_round` (NULL: to the end)."""

    peer: str
    first_round: int
    end_round: int | None
    data_group: int | None


def columns_of(row: type) -> dict[str, str]:
    """Return column -> SQL type of a dataclass; lists of text are lists, all else is JSON."""
    hints = typing.get_type_hints(row)
    return {each.name: _sql_type(hints[each.name]) for each in fields(row)}


def table_of(name: str, row: type, rows: Iterable[object]) -> Table:
    """Return the table of `rows`, all of them of the dataclass `row`."""
    columns = columns_of(row)
    return Table(name, columns, [[getattr(each, column) for column in columns] for each in rows])


def ledger_tables(ledger: Ledger) -> list[Table]:
    """Return the tables `ledger` and `connections`."""
    return [
        table_of("ledger", LedgerRow, ledger.rows),
        table_of("connections", ConnectionRow, connection_rows(ledger)),
    ]


def run_tables(run: RunFolder, ledger: Ledger) -> list[Table]:
    """Return every table of docs/sql.md, also those without rows."""
    journal = [
        _record_table(run, each)
        for each in typing.get_args(records.Record)
        if each not in _OF_THE_KERNEL
    ]
    kernel = [_kernel_table(run, each, name) for each, name in _OF_THE_KERNEL.items()]
    plan = [_peers(run, ledger.hosts), _data_groups(run)]
    return [*ledger_tables(ledger), *plan, *kernel, *journal]


def record_name(record: type) -> str:
    """Return a record's name in the journals, and of its table: trained, pull_failed."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__).lower()


def _record_table(run: RunFolder, record: type) -> Table:
    """Return all records of one kind; `peer` owns the journal, or is named by the record."""
    name = record_name(record)
    columns = {"peer": "VARCHAR", "t_s": "DOUBLE", **columns_of(record)}
    lines = [
        {"peer": journal, **line} for journal in run.journals for line in run.records(journal, name)
    ]
    return Table(name, columns, _values(lines, columns))


def _kernel_table(run: RunFolder, record: type, name: str) -> Table:
    columns = {"t_s": "DOUBLE", **columns_of(record), "host": "VARCHAR"}
    lines = [line for line in run.kernel if line["record"] == record_name(record)]
    return Table(name, columns, _values(lines, columns))


def _values(lines: Iterable[Line], columns: Iterable[str]) -> list[list[Any]]:
    return [[line.get(column) for column in columns] for line in lines]


def _peers(run: RunFolder, hosts: RunHosts) -> Table:
    rows = [
        PeerRow(
            peer=peer,
            profile=plan["profile"]["name"],
            data_group=plan["group"],
            prune_ratio=plan["prune_ratio"],
            n_bytes=plan["n_bytes"],
            macs=plan["macs"],
            neighbors=plan["neighbors"],
            host=hosts.of_peer(peer),
            replaces=predecessor(plan),
        )
        for peer, plan in sorted(run.plan["peers"].items())
    ]
    return table_of("peers", PeerRow, rows)


def _data_groups(run: RunFolder) -> Table:
    rows = [
        DataGroupRow(peer, each.first, each.end, each.group)
        for peer, periods in sorted(run.data_groups.periods.items())
        for each in periods
    ]
    return table_of("data_groups", DataGroupRow, rows)


def _sql_type(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        (hint,) = (each for each in typing.get_args(hint) if each is not type(None))
    return "VARCHAR[]" if hint == list[str] else _TYPES.get(hint, "JSON")
