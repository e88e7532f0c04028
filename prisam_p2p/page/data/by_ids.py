"""A page's tables for Python: with the ids of peers in place of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prisam_p2p.page.data.tables import TABLES, CellKind
from prisam_p2p.report.run_tables import Table

_SQL = {
    CellKind.PEER: "VARCHAR",
    CellKind.PEERS: "VARCHAR[]",
    CellKind.WHOLE: "BIGINT",
    CellKind.NUMBER: "DOUBLE",
    CellKind.WORD: "VARCHAR",
    CellKind.TEXT: "VARCHAR",
    CellKind.BITS: "VARCHAR",
    CellKind.LIST: "JSON",
}


def table_by_ids(tables: Mapping[str, Any], name: str) -> Table:
    """Return a table of a payload with peers by their ids; None: no peer, or the launcher.

    Args:
        tables: those of one run of the payload.
    """
    shape, columns = TABLES[name], tables[name]["columns"]
    ids = tables["peers"]["columns"]["id"]
    cells = [_by_ids(kind, columns[column], ids) for column, kind in shape.columns.items()]
    kinds = {column: _SQL[kind] for column, kind in shape.columns.items()}
    return Table(name, kinds, [list(row) for row in zip(*cells, strict=True)])


def _by_ids(kind: CellKind, cells: Sequence[Any], ids: Sequence[str]) -> list[Any]:
    def one(number: int) -> str | None:
        return ids[number] if number >= 0 else None

    shown: dict[CellKind, Callable[[Any], Any]] = {
        CellKind.PEER: one,
        CellKind.PEERS: lambda numbers: [one(number) for number in numbers],
    }
    show = shown.get(kind)
    return [cell if cell is None or show is None else show(cell) for cell in cells]
