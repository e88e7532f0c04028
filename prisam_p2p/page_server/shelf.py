"""The runs and experiments in a folder, newest first, each with a number.

A page names a run by its number only: what a browser asks for never becomes a path.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from prisam_p2p.page_server.liveness import is_running
from prisam_p2p.page_server.tail import signature

SHOWN = 200
"""At most this many runs and experiments of a folder are listed."""

_CELLS = "cells"
_LARGEST_JSON = 64 << 20


class FolderKind(Enum):
    """What a folder holds."""

    RUN = "run"
    EXPERIMENT = "experiment"


@dataclass(frozen=True)
class Shelved:
    """A run, or an experiment, as it is listed.

    Attributes:
        number: by which a page asks for it.
        began: local time of its beginning.
        status: of a run: as in summary.json, `running`, or `killed`; of an experiment: its cells.
        headline: what happened, in a sentence; "" where nothing says so.
    """

    number: int
    name: str
    kind: FolderKind
    began: datetime
    status: str
    headline: str


@dataclass(frozen=True)
class Listing:
    """What is in a folder; `left_out`: how many older ones are not listed."""

    folder: Path
    shelved: list[Shelved]
    left_out: int


@dataclass
class Shelf:
    """Numbers for the folders that pages may ask for; a number never means another folder later."""

    _folders: list[Path] = field(default_factory=list)
    _numbers: dict[Path, int] = field(default_factory=dict)
    _read: dict[Path, tuple[object, dict[str, Any]]] = field(default_factory=dict)

    def number(self, folder: Path) -> int:
        """Return the number of a folder; it gets one if it has none."""
        if folder not in self._numbers:
            self._numbers[folder] = len(self._folders)
            self._folders.append(folder)
        return self._numbers[folder]

    def folder(self, number: str) -> Path | None:
        """Return the folder that a page means; None: no such number was given out."""
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            return None
        return self._folders[int(number)] if int(number) < len(self._folders) else None

    def listing(self, folder: Path, shown: int = SHOWN) -> Listing:
        """Return the newest runs and experiments of a folder; only these are read."""
        found = sorted(_found_in(folder), key=lambda each: each[:2], reverse=True)
        shelved = [self._shelved(*each) for each in found[:shown]]
        return Listing(folder, shelved, len(found) - len(shelved))

    def _shelved(self, began_s: float, name: str, path: Path, kind: FolderKind) -> Shelved:
        status, headline = (
            self._about_run(path) if kind is FolderKind.RUN else (_about_experiment(path), "")
        )
        number = self.number(path)
        return Shelved(number, name, kind, datetime.fromtimestamp(began_s), status, headline)

    def _about_run(self, run: Path) -> tuple[str, str]:
        """Return a run's status and headline."""
        summary = self._json(run / "summary.json")
        status, headline = str(summary.get("status", "")), str(summary.get("headline", ""))
        if status != "completed" and is_running(run):
            return "running", ""
        return status or "killed", headline

    def _json(self, path: Path) -> dict[str, Any]:
        """Return the JSON object in a file, {} where there is none; read again if it changed."""
        now = signature(path)
        if now is None or now[1] > _LARGEST_JSON:
            return {}
        before = self._read.get(path)
        if before and before[0] == now:
            return before[1]
        try:
            data = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError):
            data = {}
        found = data if isinstance(data, dict) else {}
        kept = {key: found.get(key, "") for key in ("status", "headline")}
        self._read[path] = (now, kept)
        return kept


def kind_of(folder: Path) -> FolderKind | None:
    """Return what a folder is; None: neither a run nor an experiment."""
    if (folder / "plan.json").is_file():
        return FolderKind.RUN
    return FolderKind.EXPERIMENT if (folder / _CELLS).is_dir() else None


def _found_in(folder: Path) -> Iterator[tuple[float, str, Path, FolderKind]]:
    """Yield when each run and experiment of a folder began, its name, its path and its kind."""
    inside = ""
    if kind_of(folder) is FolderKind.EXPERIMENT:
        folder, inside = folder / _CELLS, "run"
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name / inside
        if kind := kind_of(path):
            named = "plan.json" if kind is FolderKind.RUN else _CELLS
            if about := signature(path / named):
                yield about[2] / 1e9, entry.name, path, kind


def _about_experiment(folder: Path) -> str:
    """Return how many cells of an experiment are there."""
    n = sum(1 for _ in _found_in(folder))
    return f"{n} cell{'' if n == 1 else 's'}"


def holds_any(folder: Path) -> bool:
    """Tell whether a folder is an experiment, or holds a run or an experiment."""
    return kind_of(folder) is FolderKind.EXPERIMENT or any(True for _ in _found_in(folder))
