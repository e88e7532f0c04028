"""Reads a run's journals as they grow, from outside: by offset, and whole lines only.

The run may not be there yet, may go on after its end (`prisam resume`), or may be replaced by
another one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

_PART_BYTES = 1 << 20
"""This much of a journal is read at a time, so that a long one takes no memory."""

_LONGEST_LINE_BYTES = 1 << 26
"""A longer line is none of ours: a journal is not read beyond it."""


class Replaced(Exception):
    """A file that was read is another one now, or is shorter: what was read of it is void."""


class JournalTail:
    """The whole lines that one journal gets."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._inode = path, 0, 0

    def new_lines(self) -> Iterator[bytes]:
        """Yield the whole lines since the last call; none while there is no file.

        Raises:
            Replaced: see there.
        """
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            about = os.fstat(file)
            if not stat.S_ISREG(about.st_mode):  # a pipe, which a stranger put there
                return
            if self._inode not in (0, about.st_ino) or about.st_size < self._at:
                raise Replaced(str(self._path))
            self._inode = about.st_ino
            if about.st_size == self._at:
                return
            while whole := self._read(file):
                self._at += len(whole)
                yield from whole.split(b"\n")[:-1]
        finally:
            os.close(file)

    def _read(self, descriptor: int) -> bytes:
        """Return the next whole lines, b"" where there are none."""
        size = _PART_BYTES
        while size <= _LONGEST_LINE_BYTES:
            data = os.pread(descriptor, size, self._at)
            if (end := data.rfind(b"\n")) >= 0:
                return data[: end + 1]
            if len(data) < size:  # the end of the file
                return b""
            size *= 8
        return b""


class RunTail:
    """The lines that the journals of a run get.

    Args:
        names: of the journals, in the order in which they are read. A journal may come later.
    """

    def __init__(self, run_dir: Path, names: Sequence[str]) -> None:
        self._tails = {
            name: JournalTail(run_dir / "journal" / f"{name}.jsonl")
            for name in names
            if "/" not in name and "\0" not in name  # a plan may come from anybody
        }

    def new_lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name of a journal, and a line of it, for each line since the last call.

        The order within a journal is its own; a folder that is gone has no new lines.

        Raises:
            Replaced: a journal is another one now; begin with a new RunTail.
        """
        for name, tail in self._tails.items():
            for line in tail.new_lines():
                yield name, line


Signature = tuple[int, int, int]
"""Inode, bytes, time of the last change in nanoseconds."""


def signature(path: Path) -> Signature | None:
    """Return what changes when a file is written anew; None: there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
