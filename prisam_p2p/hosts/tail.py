"""What is new in the files of a run on this host, in parts that the launcher is sent.

Journals and logs only grow: their new bytes are sent, of a journal whole lines. States and models
are written whole and renamed: such a file is sent whole when another one has taken its place, but
not again where it has got another name. A peer keeps its states of earlier rounds until they are
sent, and they are sent from the oldest on: a resumed run needs a round of which all peers have one.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prisam_p2p.hosts.messages import FileAppended, FileFromHost
from prisam_p2p.measure.state import is_earlier, order_of_age

PART_BYTES = 256 << 10

_GROWING, _WHOLE = ("journal", "logs"), ("state", "models")
_JOURNAL = ".jsonl"

_REMEMBERED = 64
"""Versions of a peer's files that are known as sent: more than it keeps."""

Part = tuple[FileAppended | FileFromHost, bytes]
"""A report, and the bytes that follow it."""

_Owner = tuple[str, str]
"""A folder, and the peer whose file it is."""

_Version = tuple[int, int]
"""Of a file, whatever its name: another one has another."""


class FileTail:
    """Finds new parts of files, the small ones that grow before the large ones.

    Args:
        folder: the run's on this host.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[str, int] = {}
        self._sent: dict[_Owner, deque[_Version]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._open: tuple[str, BinaryIO, int] | None = None  # what is being sent: path, file, size

    def skip(self) -> None:
        """Take the files that are there as known: the launcher has sent them."""
        for path, version in self._whole_files():
            self._sent[_owner(path)].append(version)

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
        busy: set[_Owner] = set()
        for path, version in self._whole_files():
            if version in self._sent[_owner(path)]:
                if is_earlier(path):  # its peer needs it no more
                    path.unlink(missing_ok=True)
            elif _owner(path) not in busy and self._begin_whole(path, version):
                yield from self._journal_of(path)  # who goes on from a state has all before
                yield from self._rest_of_whole()
            else:
                busy.add(_owner(path))  # a later state must not be sent before this one

    def _whole_files(self) -> list[tuple[Path, _Version]]:
        """Return the files that are written whole, each peer's from the oldest on, as they are now.

        A peer that writes its next state meanwhile, which gives another one a new name, waits for
        the next look.
        """
        listed = self._files(_WHOLE)
        found = {path: version for path in listed if (version := _version_there(path))}
        again = self._files(_WHOLE)
        busy = {_owner(path) for path in {*listed} ^ {*again} | {*listed} - found.keys()}
        there = [each for each in found.items() if _owner(each[0]) not in busy]
        return sorted(there, key=lambda each: (*_owner(each[0]), *order_of_age(each[0])))

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

    def _begin_whole(self, path: Path, version: _Version) -> bool:
        """Open a file that is to be sent; tell whether it is still the one that was seen.

        One that has taken its place waits for the next look: the one that was seen is older.
        """
        try:
            file = path.open("rb")
        except FileNotFoundError:  # it has another name now
            return False
        found = os.fstat(file.fileno())
        if _version_of(found) != version:
            file.close()
            return False
        self._sent[_owner(path)].append(version)
        self._open = (self._name(path), file, found.st_size)
        return True

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


def _owner(path: Path) -> _Owner:
    return path.parent.name, path.name.partition(".")[0]


def _version_there(path: Path) -> _Version | None:
    try:
        return _version_of(path.stat())
    except FileNotFoundError:
        return None


def _version_of(found: os.stat_result) -> _Version:
    return (found.st_ino, found.st_mtime_ns)
