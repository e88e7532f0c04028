"""What the page of a run has to be told next. Pure: no clock, no sockets.

Every change of the run's data has a number, the version. A page says which one it has, and gets
what is newer, in one piece; a page that has nothing, that has the data of another server, or that
is too far behind gets everything anew. So a slow page costs no memory: nothing waits for it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Update = Mapping[str, Any]
"""{"facts": {..}, "tables": {NAME: {"columns": {COLUMN: [..]}}}}: what changed."""

KEPT_BYTES = 16 << 20
"""About this much of the latest changes, as text, is kept for pages that are behind."""


@dataclass(frozen=True)
class Change:
    """One update as it is sent."""

    version: int
    update: Update
    text: str


@dataclass(frozen=True)
class News:
    """What a page has to be told.

    Attributes:
        version: the page has it afterwards.
        text: the update as JSON; None: the page needs everything.
    """

    version: int
    text: str | None


class Feed:
    """The latest changes of one run's data.

    Args:
        epoch: names these versions; another server, or another run in the folder, has another.
        keys: table -> its key columns.
        kept_bytes: see KEPT_BYTES.
    """

    def __init__(
        self, epoch: str, keys: Mapping[str, Sequence[str]], kept_bytes: int = KEPT_BYTES
    ) -> None:
        self.epoch, self.version = epoch, 0
        self._keys, self._kept_bytes = keys, kept_bytes
        self._changes: deque[Change] = deque()
        self._n_bytes = 0

    @property
    def mark(self) -> str:
        """What a page that has everything says: EPOCH:VERSION."""
        return self.mark_of(self.version)

    def mark_of(self, version: int) -> str:
        """Return what a page that has `version` says."""
        return f"{self.epoch}:{version}"

    def push(self, update: Update) -> None:
        """Take an update; one that changes nothing makes no version."""
        if not update.get("facts") and not update.get("tables"):
            return
        self.version += 1
        text = as_json(update)
        self._changes.append(Change(self.version, update, text))
        self._n_bytes += len(text)
        while self._n_bytes > self._kept_bytes:
            self._n_bytes -= len(self._changes.popleft().text)

    def after(self, mark: str) -> News | None:
        """Return what a page that says `mark` has to be told; None: nothing."""
        epoch, _, number = mark.rpartition(":")
        has = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else -1
        if epoch != self.epoch or not 0 <= has <= self.version:
            return News(self.version, None)
        if has == self.version:
            return None
        newer = [each for each in self._changes if each.version > has]
        if len(newer) < self.version - has:  # what came between is kept no more
            return News(self.version, None)
        if len(newer) == 1:
            return News(self.version, newer[0].text)
        return News(self.version, as_json(merged([each.update for each in newer], self._keys)))


def as_json(value: Any) -> str:
    """Return JSON in one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def merged(updates: Iterable[Update], keys: Mapping[str, Sequence[str]]) -> Update:
    """Return one update that does what `updates` do, one after the other: the last row wins."""
    facts: dict[str, Any] = {}
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for update in updates:
        facts |= update.get("facts", {})
        for name, table in update.get("tables", {}).items():
            of_table = rows.setdefault(name, {})
            columns = table["columns"]
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True))
                of_table[tuple(row[key] for key in keys[name])] = row
    tables = {name: {"columns": _columns(list(found.values()))} for name, found in rows.items()}
    return {"facts": facts, "tables": tables}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
