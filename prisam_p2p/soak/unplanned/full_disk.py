"""A small disk that can be filled: a tmpfs, where this machine lets us mount one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEAST_KIB = 64


@contextmanager
def small_disk(path: Path, size_kib: int) -> Iterator[None]:
    """Mount a disk of `size_kib` at `path`, a folder, inside the block.

    Raises:
        OSError: the system refused, in its words.
    """
    _run("mount", "-t", "tmpfs", "-o", f"size={max(size_kib, _LEAST_KIB)}k", "prisam-soak", path)
    try:
        yield
    finally:
        _run("umount", path)


def why_no_disk() -> str:
    """Return why this machine has no small disk for us, "" where it has."""
    with tempfile.TemporaryDirectory(prefix="prisam-soak-") as folder:
        try:
            with small_disk(Path(folder), _LEAST_KIB):
                return ""
        except OSError as error:
            return str(error)


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1]
        raise OSError(said)
