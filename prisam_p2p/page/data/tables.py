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


_PEER, _PEERS, _WHOLE, _NUMBER = CellKind.PEER, CellKind.PEERS, CellKind.WHOLE, CellKind.NUMBER
_WORD, _TEXT, _BITS, _LIST = CellKind.WORD, CellKind.TEXT, CellKind.BITS, CellKind.LIST

TABLES: dict[str, PageTable] = {
    "tiles": _table(
        "id", id=_WORD, place=_WHOLE, label=_WORD, value=_TEXT, detail=_TEXT, tone=_WORD, view=_WORD
    ),
    "peers": _table(
        "peer",
        peer=_PEER,
        id=_WORD,
        group=_WHOLE,
        profile=_WORD,
        state=_TEXT,
        reason=_TEXT,
        rounds_done=_WHOLE,
        prune_ratio=_NUMBER,
        parameters=_WHOLE,
        n_bytes=_WHOLE,
        macs=_WHOLE,
        train_images=_WHOLE,
        classes=_LIST,
        asked_speed=_NUMBER,
        achieved_speed=_NUMBER,
        memory_mib=_NUMBER,
        peak_mib=_NUMBER,
        up_mbit_s=_NUMBER,
        up_peak=_NUMBER,
        down_mbit_s=_NUMBER,
        down_peak=_NUMBER,
        deployed=_NUMBER,
        local=_NUMBER,
        host=_WORD,
        replaces=_WORD,
    ),
    "data_groups": _table("peer first_round", peer=_PEER, first_round=_WHOLE, group=_WHOLE),
    "hosts": _table(
        "host",
        host=_WORD,
        node=_TEXT,
        address=_TEXT,
        peers=_PEERS,
        cores=_WHOLE,
        memory_mib=_WHOLE,
        clock_bound_s=_NUMBER,
        lost_s=_NUMBER,
        reason=_TEXT,
        within_bytes=_WHOLE,
        sent_bytes=_WHOLE,
        received_bytes=_WHOLE,
    ),
    "spans": _table(
        "peer begin_s phase", peer=_PEER, begin_s=_NUMBER, phase=_WHOLE, round=_WHOLE, end_s=_NUMBER
    ),
    "pulls": _table(
        "peer began_s donor",
        peer=_PEER,
        began_s=_NUMBER,
        donor=_PEER,
        round=_WHOLE,
        end_s=_NUMBER,
        n_bytes=_WHOLE,
        fetched_bytes=_WHOLE,
        lane=_WHOLE,
        outcome=_WORD,
        reason=_TEXT,
    ),
    "servings": _table(
        "peer to end_s",
        peer=_PEER,
        to=_PEER,
        end_s=_NUMBER,
        round=_WHOLE,
        queued_s=_NUMBER,
        begin_s=_NUMBER,
        n_bytes=_WHOLE,
        outcome=_WORD,
    ),
    "arrivals": _table(
        "peer round",
        peer=_PEER,
        round=_WHOLE,
        waited_s=_NUMBER,
        first_s=_NUMBER,
        median_s=_NUMBER,
        last_s=_NUMBER,
        slowest=_PEERS,
        missing=_LIST,
        offsets=_LIST,
    ),
    "sat_out": _table("peer round", peer=_PEER, round=_WHOLE, begin_s=_NUMBER, end_s=_NUMBER),
    "accuracy": _table(
        "peer round moment",
        peer=_PEER,
        round=_WHOLE,
        moment=_WHOLE,
        validation=_NUMBER,
        test=_NUMBER,
        t_s=_NUMBER,
        device_s=_NUMBER,
        wire_mib=_NUMBER,
    ),
    "per_class": _table(
        "peer round moment", peer=_PEER, round=_WHOLE, moment=_WHOLE, right=_LIST, of=_LIST
    ),
    "reference": _table(
        "source round moment", source=_WORD, round=_WHOLE, moment=_WHOLE, mean=_NUMBER, t_s=_NUMBER
    ),
    "groups": _table(
        "peer round",
        peer=_PEER,
        round=_WHOLE,
        members=_PEERS,
        chosen=_PEERS,
        averaged=_PEERS,
        rejected=_LIST,
        norms=_LIST,
        labels=_LIST,
        prune_ratio=_NUMBER,
    ),
    "masks": _table("peer round", peer=_PEER, round=_WHOLE, mask=_WHOLE),
    "choices": _table("peer round", peer=_PEER, round=_WHOLE, choice=_WHOLE),
    "mask_bits": _table("mask", mask=_WHOLE, bits=_BITS),
    "ari": _table("round", round=_WHOLE, ari=_NUMBER),
    "bytes": _table("round kind layer", round=_WHOLE, kind=_WORD, layer=_WORD, n_bytes=_WHOLE),
    "links": _table(
        "sender receiver",
        sender=_PEER,
        receiver=_PEER,
        n_bytes=_WHOLE,
        wire_bytes=_WHOLE,
        rate_mbit_s=_NUMBER,
        delay_ms=_NUMBER,
        cut=_WHOLE,
    ),
    "push_everything": _table("round", round=_WHOLE, n_bytes=_WHOLE),
    "closure": _table(
        "step", step=_WHOLE, label=_WORD, n_bytes=_WHOLE, kernel_bytes=_WHOLE, kind_of_step=_WORD
    ),
    "faults": _table(
        "occurrence",
        occurrence=_WORD,
        kind=_WORD,
        peers=_PEERS,
        links=_LIST,
        round=_WHOLE,
        planned=_WORD,
        planned_s=_NUMBER,
        applied_s=_NUMBER,
        verified_s=_NUMBER,
        healed_s=_NUMBER,
        first_round_after=_WHOLE,
        first_round_after_s=_NUMBER,
        late_s=_NUMBER,
        verdict=_WORD,
        why=_TEXT,
        evidence=_TEXT,
        cost=_TEXT,
    ),
    "resources": _table(
        "peer round",
        peer=_PEER,
        round=_WHOLE,
        t_s=_NUMBER,
        cpu_s=_NUMBER,
        memory_mib=_NUMBER,
        sent_bytes=_WHOLE,
        received_bytes=_WHOLE,
        speed=_NUMBER,
    ),
    "checks": _table("name", name=_WORD, verdict=_WORD, why=_TEXT),
    "notes": _table("at_s peer text", at_s=_NUMBER, peer=_PEER, text=_TEXT),
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
