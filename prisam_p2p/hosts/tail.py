"""What is new in the files of a run on this host, in parts that the launcher is sent.

Journals and logs only grow: their new bytes are sent, of a journal whole lines. States and models
are written whole and renamed: such a file is sent whole when another one has taken its place, but
not where the launcher has it under another name. A peer keeps its states of earlier rounds until
they are sent, however rarely that is, and they are sent from the oldest on, without a gap: a
resumed run needs a round of which all peers have one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from prisam_p2p.hosts.messages import FileAppended, FileFromHost, FileKept
from prisam_p2p.measure.state import is_earlier, order_of_age

PART_BYTES = 256 << 10

_GROWING, _WHOLE = ("journal", "logs"), ("state", "models")
_JOURNAL = ".jsonl"

Version = tuple[int, int]
"""Of a file: another one in its place has another."""

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
        self._versions: dict[str, Version] = {}
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
        for path, version in self._whole_files():
            with suppress(FileNotFoundError):  # renamed just now; the next look finds it
                if self._versions.get(self._name(path)) == version:
                    self._remove_earlier(path)
                    continue
                kept = self._begin_whole(path, version)
                yield from self._journal_of(path)  # a run that goes on from a state has all before
                if kept:
                    yield kept, b""
                yield from self._rest_of_whole()

    def _whole_files(self) -> list[tuple[Path, Version]]:
        """Return the files that are written whole, each peer's from the oldest on, as they are now.

        A peer that writes its next state meanwhile, which gives another one a new name, waits for
        the next look.
        """
        found = {}
        for path in self._files(_WHOLE):
            with suppress(FileNotFoundError):
                found[path] = _version(path)
        busy = {_owner(path) for path in {*self._files(_WHOLE)} - found.keys()}
        there = [each for each in found.items() if _owner(each[0]) not in busy]
        return sorted(there, key=lambda each: (*_owner(each[0]), *order_of_age(each[0])))

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

    def _begin_whole(self, path: Path, version: Version) -> FileKept | None:
        """Open a file that is to be sent; return what there is to say if it need not be.

        One that has taken another's place since it was seen waits for the next look: the other one
        is older, and comes first.
        """
        name = self._name(path)
        file = path.open("rb")
        if _version_of(os.fstat(file.fileno())) != version:
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


def _owner(path: Path) -> tuple[str, str]:
    """Return a file's folder and peer."""
    return path.parent.name, path.name.partition(".")[0]


def _version(path: Path) -> Version:
    return _version_of(path.stat())


def _version_of(found: os.stat_result) -> Version:
    return (found.st_ino, found.st_mtime_ns)
