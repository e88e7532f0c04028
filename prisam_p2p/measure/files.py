"""Writes files atomically: a reader sees the old file or the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and rename it to `path` at the end."""
    beside = path_beside(path, os.getpid())
    try:
        yield beside
        beside.replace(path)
    finally:
        if not beside.is_symlink():  # a full-disk fault put it there, and removes it
            beside.unlink(missing_ok=True)


def path_beside(path: Path, pid: int) -> Path:
    """Return the temporary path at which process `pid` writes `path`."""
    return path.with_name(f".{path.name}.{pid}.part")


def write_whole(path: Path, text: str) -> None:
    """Write `text` beside `path`, then rename."""
    with written_beside(path) as beside:
        beside.write_text(text)
