"""Writes files atomically: a reader sees the old file or the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name `path` in an OSError of the block: those of reads, writes and renames do not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and rename it to `path` at the end.

    Raises:
        OSError: it cannot be written; it names `path`, and nothing is left beside it.
    """
    beside = path_beside(path, os.getpid())
    try:
        with naming(path):
            yield beside
            beside.replace(path)
    finally:
        if not beside.is_symlink():  # a full-disk fault put it there, and removes it
            with suppress(OSError):  # of a disk that is read-only now, or gone
                beside.unlink(missing_ok=True)


def path_beside(path: Path, pid: int) -> Path:
    """Return the temporary path at which process `pid` writes `path`."""
    return path.with_name(f".{path.name}.{pid}.part")


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed have left of files of `folder` (`path_beside`)."""
    with suppress(OSError):
        for part in folder.glob(".*.part"):
            part.unlink()


def write_whole(path: Path, text: str) -> None:
    """Write `text` beside `path`, then rename."""
    with written_beside(path) as beside:
        beside.write_text(text)
