"""Write files so that nobody ever sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and rename it to `path`: the old file or the new one, no part."""
    beside = path_beside(path, os.getpid())
    try:
        yield beside
        beside.replace(path)
    finally:
        if not beside.is_symlink():  # who put one there says where it leads, and takes it away
            beside.unlink(missing_ok=True)


def path_beside(path: Path, pid: int) -> Path:
    """Return where process `pid` writes what is to become `path`."""
    return path.with_name(f".{path.name}.{pid}.part")


def write_whole(path: Path, text: str) -> None:
    """Write `text` beside `path`, then rename."""
    with written_beside(path) as beside:
        beside.write_text(text)
