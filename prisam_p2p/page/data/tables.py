"""The tables of a page: their columns, their keys, and rows that are put in by key.

`prisam_p2p/page/assets/js/store.js` repeats the keys; a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Key = tuple[Any, ...]
Columns = dict[str, list[Any]]


class CellKind(Enum):
    """What the cells of a column hold; None in any of them: not known."""

    PEER = "peer"
    """Row in the table `peers`; -1: no peer, or the launcher."""
    PEERS = "peers"
    """A list of such rows."""
    WHOLE = "whole"
    NUMBER = "number"
    WORD = "word"
    """A word of ours: an id, a name, a state."""
    TEXT = "text"
    """Prose, which may repeat what a system or a stranger said; scrubbed in a redacted page."""
    BITS = "bits"
    """Packed bits in base64."""
    LIST = "list"
    """A list of numbers or lists."""


@dataclass(frozen=True)
class PageTable:
    """The shape of a table.

    Attributes:
        keys: its first columns, which tell a row from all others.
        columns: name -> what its cells hold; the keys first.
    """

    keys: tuple[str, ...]
    columns: Mapping[str, CellKind]


def _table(keys: str, **columns: CellKind) -> PageTable:
    return PageTable(tuple(keys.split()), columns)


_P, _PP, _I, _F = CellKind.PEER, CellKind.PEERS, CellKind.WHOLE, CellKind.NUMBER
_W, _T, _L = CellKind.WORD, CellKind.TEXT, CellKind.LIST

TABLES: dict[str, PageTable] = {
    "tiles": _table("id", id=_W, place=_I, label=_W, value=_T, detail=_T, tone=_W, view=_W),
    "peers": _table(
        "peer",
        peer=_P,
        id=_W,
        group=_I,
        profile=_W,
        state=_T,
        reason=_T,
        rounds_done=_I,
        prune_ratio=_F,
        parameters=_I,
        n_bytes=_I,
        macs=_I,
        train_images=_I,
        classes=_L,
        asked_speed=_F,
        achieved_speed=_F,
        memory_mib=_F,
        peak_mib=_F,
        up_mbit_s=_F,
        up_peak=_F,
        down_mbit_s=_F,
        down_peak=_F,
        deployed=_F,
        local=_F,
    ),
    "spans": _table("peer begin_s phase", peer=_P, begin_s=_F, phase=_I, round=_I, end_s=_F),
    "pulls": _table(
        "peer began_s donor",
        peer=_P,
        began_s=_F,
        donor=_P,
        round=_I,
        end_s=_F,
        n_bytes=_I,
        fetched_bytes=_I,
        lane=_I,
        outcome=_W,
        reason=_T,
    ),
    "servings": _table(
        "peer to end_s",
        peer=_P,
        to=_P,
        end_s=_F,
        round=_I,
        queued_s=_F,
        begin_s=_F,
        n_bytes=_I,
        outcome=_W,
    ),
    "arrivals": _table(
        "peer round",
        peer=_P,
        round=_I,
        waited_s=_F,
        first_s=_F,
        median_s=_F,
        last_s=_F,
        slowest=_PP,
        missing=_L,
        offsets=_L,
    ),
    "accuracy": _table(
        "peer round moment",
        peer=_P,
        round=_I,
        moment=_I,
        validation=_F,
        test=_F,
        t_s=_F,
        device_s=_F,
        wire_mib=_F,
    ),
    "per_class": _table("peer round moment", peer=_P, round=_I, moment=_I, right=_L, of=_L),
    "reference": _table("source round moment", source=_W, round=_I, moment=_I, mean=_F, t_s=_F),
    "groups": _table(
        "peer round",
        peer=_P,
        round=_I,
        members=_PP,
        chosen=_PP,
        averaged=_PP,
        rejected=_L,
        norms=_L,
        labels=_L,
        prune_ratio=_F,
    ),
    "masks": _table("peer round", peer=_P, round=_I, mask=_I),
    "mask_bits": _table("mask", mask=_I, bits=CellKind.BITS),
    "ari": _table("round", round=_I, ari=_F),
    "bytes": _table("round kind layer", round=_I, kind=_W, layer=_W, n_bytes=_I),
    "links": _table(
        "sender receiver",
        sender=_P,
        receiver=_P,
        n_bytes=_I,
        wire_bytes=_I,
        rate_mbit_s=_F,
        delay_ms=_F,
        cut=_I,
    ),
    "push_everything": _table("round", round=_I, n_bytes=_I),
    "closure": _table("step", step=_I, label=_W, n_bytes=_I, kernel_bytes=_I, kind_of_step=_W),
    "faults": _table(
        "occurrence",
        occurrence=_W,
        kind=_W,
        peers=_PP,
        links=_L,
        round=_I,
        planned=_W,
        planned_s=_F,
        applied_s=_F,
        verified_s=_F,
        healed_s=_F,
        first_round_after=_I,
        first_round_after_s=_F,
        late_s=_F,
        verdict=_W,
        why=_T,
        evidence=_T,
        cost=_T,
    ),
    "resources": _table(
        "peer round",
        peer=_P,
        round=_I,
        t_s=_F,
        cpu_s=_F,
        memory_mib=_F,
        sent_bytes=_I,
        received_bytes=_I,
        speed=_F,
    ),
    "checks": _table("name", name=_W, verdict=_W, why=_T),
    "notes": _table("at_s peer text", at_s=_F, peer=_P, text=_T),
}
"""Name -> shape, of every table of a page."""


class Rows:
    """The rows of one table, put in by key, and which of them changed lately."""

    def __init__(self, name: str) -> None:
        self.shape = TABLES[name]
        self._n_keys = len(self.shape.keys)
        self._names = tuple(self.shape.columns)
        self._rows: dict[Key, list[Any]] = {}
        self._changed: set[Key] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, *row: Any) -> None:
        """Put in a whole row, in the place of the one with the same key."""
        key = row[: self._n_keys]
        rest = list(row[self._n_keys :])
        if self._rows.get(key) != rest:
            self._rows[key] = rest
            self._changed.add(key)

    def change(self, key: Key, **cells: Any) -> None:
        """Change cells of a row; those that were never told are None."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [None] * (len(self._names) - self._n_keys)
            self._changed.add(key)
        for name, value in cells.items():
            at = self._names.index(name) - self._n_keys
            if row[at] != value:
                row[at] = value
                self._changed.add(key)

    def get(self, key: Key, name: str) -> Any:
        """Return a cell; None where there is no such row."""
        row = self._rows.get(key)
        return None if row is None else row[self._names.index(name) - self._n_keys]

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def ascending(self) -> list[Key]:
        """Return the keys, ascending."""
        return sorted(self._rows)

    def all(self) -> Columns:
        """Return all rows as columns, by key ascending."""
        return self._columns(sorted(self._rows))

    def changed(self) -> Columns:
        """Return the rows that changed since the last call, by key ascending."""
        changed, self._changed = sorted(self._changed), set()
        return self._columns(changed)

    def _columns(self, keys: Sequence[Key]) -> Columns:
        rows = [(*key, *self._rows[key]) for key in keys]
        columns = zip(*rows, strict=True) if rows else ((),) * len(self._names)
        return {name: list(cells) for name, cells in zip(self._names, columns, strict=True)}
