"""The folders that exports are written to: a second export of a run replaces the first."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import naming, path_beside, write_whole

EXPORTS = "export"
"""Folder of a run folder that exports go to, each into one of its own."""

_MARK = "prisam-export.json"
_LARGEST_MARK = 1 << 16


def default_place(run: Path, sink: str) -> Path:
    """Return the folder that an export goes to where the user names none."""
    return run / EXPORTS / sink


def require_free(place: Path, run_id: str, where: str) -> bool:
    """Require a place for an export of a run; return whether an earlier one is there.

    Args:
        where: the option or argument that led here.

    Raises:
        ConfigError: something else is there, or the export of another run.
    """
    if not (place.exists() or place.is_symlink()):
        return False
    if place.is_dir() and not place.is_symlink():
        if not any(place.iterdir()):
            return False
        owner = _mark_of(place).get("run_id")
        if owner == run_id:
            return True
        if owner is not None:
            right = "another folder: this one holds the export of another run of that name"
            raise ConfigError(where, "", str(place), right)
    right = "a folder that is not there yet, is empty, or holds an earlier export of this run"
    raise ConfigError(where, "", str(place), right)


@contextmanager
def in_its_place(place: Path, run_id: str) -> Iterator[Path]:
    """Yield a new folder to write to; at the end, put it where `place` is.

    Raises:
        OSError: it cannot be written; it names `place`, and nothing is left beside it.
    """
    beside = path_beside(place, os.getpid())
    try:
        with naming(place):
            _remove(beside)
            beside.mkdir(parents=True)
        yield beside
        with naming(place):
            _mark(beside, run_id)
            _remove(place)
            beside.rename(place)
    finally:
        _remove(beside)


def begin_anew(place: Path, run_id: str) -> None:
    """Make a place empty, for an export that grows where readers look at it.

    Raises:
        OSError: it cannot be written; it names `place`.
    """
    with in_its_place(place, run_id):
        pass


def _mark(place: Path, run_id: str) -> None:
    """Write down in a folder whose export it is."""
    write_whole(place / _MARK, json.dumps({"run_id": run_id}) + "\n")


def _mark_of(place: Path) -> dict[str, Any]:
    path = place / _MARK
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_MARK:
            found = json.loads(path.read_text())
            return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        pass
    return {}


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
