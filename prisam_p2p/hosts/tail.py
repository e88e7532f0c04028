"""What is new in the files of a run on this host, in parts that the launcher is sent.

Journals and logs only grow: their new bytes are sent, of a journal whole lines. States and models
are written whole and renamed: such a file is sent whole when another one has taken its place, but
not where the launcher has it under another name. A peer keeps its states of earlier rounds until
they are sent, however rarely that is: a resumed run needs a round of which all peers have one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from prisam_p2p.hosts.messages import FileAppended, FileFromHost, FileKept
from prisam_p2p.measure.state import is_earlier

PART_BYTES = 256 << 10

_GROWING, _WHOLE = ("journal", "logs"), ("state", "models")
_JOURNAL = ".jsonl"

Part = tuple[FileAppended | FileFromHost | FileKept, bytes]
"""A report, and the bytes that follow it."""


class FileTail:
    """Finds new parts of files, the small ones that grow before the large ones.

    Args:
        folder: the run's on this host.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[str, int] = {}
        self._versions: dict[str, tuple[int, int]] = {}
        self._open: tuple[str, BinaryIO, int] | None = None  # what is being sent: path, file, size

    def skip(self) -> None:
        """Take the files that are there as known: the launcher has sent them."""
        for path in self._files(_WHOLE):
            self._versions[self._name(path)] = _version(path)

    def parts(self, growing: bool = True) -> Iterator[Part]:
        """Yield what is new, part by part, until nothing is. It can be left and begun anew.

        Args:
            growing: look at the files that grow, too, not only at those that are written whole.

        Raises:
            OSError: a file cannot be read.
        """
        for path in self._files(_GROWING) if growing else ():
            yield from self._appended(path)
        yield from self._rest_of_whole()
        for path in self._files(_WHOLE):
            with suppress(FileNotFoundError):  # renamed just now; the next look finds it
                if self._versions.get(self._name(path)) == _version(path):
                    self._remove_earlier(path)
                    continue
                kept = self._begin_whole(path)
                yield from self._journal_of(path)  # a run that goes on from a state has all before
                if kept:
                    yield kept, b""
                yield from self._rest_of_whole()

    def _remove_earlier(self, path: Path) -> None:
        """Remove a state that has been sent and that its peer needs no more."""
        if is_earlier(path):
            path.unlink()
            del self._versions[self._name(path)]

    def close(self) -> None:
        """Close the file that is being sent."""
        if self._open:
            self._open[1].close()
            self._open = None

    def _journal_of(self, path: Path) -> Iterator[Part]:
        """Yield what is new in the journal of the peer that wrote a file."""
        journal = self._folder / "journal" / f"{path.name.partition('.')[0]}{_JOURNAL}"
        if journal.exists():
            yield from self._appended(journal)

    def _appended(self, path: Path) -> Iterator[Part]:
        name = self._name(path)
        at = self._offsets.get(name, 0)
        if path.stat().st_size <= at:
            return
        with path.open("rb") as file:
            file.seek(at)
            while data := _whole_lines(file) if path.suffix == _JOURNAL else file.read(PART_BYTES):
                self._offsets[name] = at + len(data)
                yield FileAppended(name, at), data
                at += len(data)
                file.seek(at)

    def _begin_whole(self, path: Path) -> FileKept | None:
        """Open a file that is to be sent; return what there is to say if it need not be."""
        name = self._name(path)
        file = path.open("rb")
        version = _version_of(os.fstat(file.fileno()))
        if self._versions.get(name) == version:
            file.close()
            return None
        sent_as = next((n for n, each in self._versions.items() if each == version), "")
        self._versions[name] = version
        if sent_as:
            file.close()
            return FileKept(name, sent_as)
        self._open = (name, file, os.fstat(file.fileno()).st_size)
        return None

    def _rest_of_whole(self) -> Iterator[Part]:
        """Yield the rest of the file that is being sent, as it was when that began."""
        while self._open:
            name, file, n_bytes = self._open
            offset = file.tell()
            data = file.read(PART_BYTES)
            if offset + len(data) >= n_bytes or not data:
                self.close()
            yield FileFromHost(name, offset, n_bytes), data

    def _files(self, folders: tuple[str, ...]) -> list[Path]:
        """Return the files in folders; those with a dot are being written."""
        return [
            path
            for folder in folders
            for path in sorted((self._folder / folder).iterdir())
            if not path.name.startswith(".")
        ]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def _whole_lines(file: BinaryIO) -> bytes:
    """Return whole lines from here, about a part of them; b"" if there is none."""
    data = b""
    while more := file.read(PART_BYTES):
        data += more
        if end := data.rfind(b"\n") + 1:
            return data[:end]
    return b""


def _version(path: Path) -> tuple[int, int]:
    return _version_of(path.stat())


def _version_of(found: os.stat_result) -> tuple[int, int]:
    return (found.st_ino, found.st_mtime_ns)
