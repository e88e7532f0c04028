"""Files of the peers, from the hosts that they live on into the run's folder at the launcher.

A host sends only what belongs to its own peers, and nothing outside of the run's folders. Of a peer
that lives on another host later, the new host's file goes on where the old host's has ended.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from prisam_p2p.errors import ConfigError, ControlError
from prisam_p2p.hosts.messages import FileAppended, FileFromHost
from prisam_p2p.measure.collected_states import CollectedStates
from prisam_p2p.measure.files import naming

_JOURNAL, _LOGS, _STATE, _WHOLE = "journal", "logs", "state", ("state", "models")
_LINE_END = b"\n"


class CollectedFiles:
    """Writes what hosts send.

    Args:
        run_dir: of the launcher; its folders exist.
        on_failure: told why a file cannot be written, if it cannot; nothing is written afterwards.

    Attributes:
        n_bytes: that were taken in so far.
    """

    def __init__(self, run_dir: Path, on_failure: Callable[[OSError], object]) -> None:
        self._run_dir, self._on_failure = run_dir, on_failure
        self._peers: dict[str, set[str]] = defaultdict(set)
        self._bases: dict[tuple[str, str], int] = {}
        self._states = CollectedStates(run_dir / _STATE)
        self._failed = False
        self.n_bytes = 0

    def expect(self, host: str, peers: Iterable[str]) -> None:
        """Take the files of these peers from a host from now on."""
        self._peers[host].update(peers)
        self._states.expect(self._peers[host])

    def go_on_without(self, peers: Iterable[str]) -> None:
        """Keep states of other peers for none of these, which are gone for good."""
        self._states.go_on_without(peers)

    def take_in(self, host: str, part: FileAppended | FileFromHost, data: bytes) -> None:
        """Write a part of a file.

        Raises:
            ControlError: it is none of this host's files, or other bytes than these come next.
        """
        growing = isinstance(part, FileAppended)
        path = self._checked(host, part.path, (_JOURNAL, _LOGS) if growing else _WHOLE)
        self.n_bytes += len(data)
        if self._failed:
            return
        try:
            with naming(path):
                if isinstance(part, FileAppended):
                    self._append(host, part, path, data)
                else:
                    beside = path.with_name(f".{path.name}.{host}.part")
                    if _is_whole(part, beside, data):
                        self._place(path, beside)
        except OSError as error:
            self._failed = True
            self._on_failure(error)

    def _place(self, path: Path, beside: Path) -> None:
        """Put a file that has come whole in its place."""
        if path.parent.name != _STATE:
            beside.replace(path)
            return
        try:
            self._states.place(beside, path)
        except ConfigError as error:
            raise ControlError(str(error)) from None

    def _append(self, host: str, part: FileAppended, path: Path, data: bytes) -> None:
        is_journal = part.path.startswith(_JOURNAL)
        if is_journal and not data.endswith(_LINE_END):
            raise ControlError(f"path {part.path!r}: expected whole lines of a journal")
        with path.open("a+b") as file:
            if (host, part.path) not in self._bases:
                self._bases[host, part.path] = _end_of_lines(file) if is_journal else _end(file)
            due = _end(file) - self._bases[host, part.path]
            if part.offset != due:
                raise ControlError(f"path {part.path!r}, offset {part.offset}: expected {due}")
            file.write(data)

    def _checked(self, host: str, path: str, folders: Iterable[str]) -> Path:
        """Return where a file of a host belongs."""
        folder, _, name = path.partition("/")
        owner, dot, _ = name.partition(".")
        allowed = {*self._peers[host], *_of_agent(folder, host)}
        if folder not in folders or not dot or "/" in name or owner not in allowed:
            right = f"a file of a peer of {host} in {' or '.join(folders)}"
            raise ControlError(f"path {path!r}: expected {right}")
        return self._run_dir / folder / name


def _of_agent(folder: str, host: str) -> set[str]:
    return {_JOURNAL: {f"kernel-{host}"}, _LOGS: {f"zygote-{host}"}}.get(folder, set())


def _is_whole(part: FileFromHost, beside: Path, data: bytes) -> bool:
    """Write a part of a file; tell whether it was the last."""
    with beside.open("ab" if part.offset else "wb") as file:
        if (due := _end(file)) != part.offset:
            raise ControlError(f"path {part.path!r}, offset {part.offset}: expected {due}")
        file.write(data)
    return part.offset + len(data) >= part.n_bytes


def _end(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _end_of_lines(file: BinaryIO) -> int:
    """Cut a last line off that was not written whole; return where the file ends now.

    A launcher that was killed while it wrote left it.
    """
    end = _end(file)
    while end and os.pread(file.fileno(), 1, end - 1) != _LINE_END:
        end -= 1
    file.truncate(end)
    return end
