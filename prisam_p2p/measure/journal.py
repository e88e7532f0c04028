"""The append-only file of one process: one record a line, written before the next step."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prisam_p2p.measure.files import naming
from prisam_p2p.measure.records import Record

REMOVED = "it was removed or moved while the run wrote to it"


class Journal:
    """Writes records; a process that is killed, or a disk that is full, leaves whole lines behind.

    Any thread may write.

    Args:
        path: the file; created, or appended to by a later incarnation, which first removes a
            last line that was cut off.
        epoch_s: CLOCK_MONOTONIC at the run's beginning, one clock for all processes.
        on_failure: called once, in the thread that writes, with the error of the first record that
            cannot be written; later ones are dropped, and other threads wait for its return.
            None = `write` raises.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(
        self, path: Path, epoch_s: float, on_failure: Callable[[OSError], object] | None = None
    ) -> None:
        self.path, self._epoch_s, self._on_failure = path, epoch_s, on_failure
        self._writing, self._failed = threading.Lock(), False
        self._file = path.open("ab", buffering=0)
        with naming(path):
            self._file.truncate(path.read_bytes().rfind(b"\n") + 1)

    def write(self, record: Record) -> None:
        """Append `record`, with the time it was written.

        `dataclasses.asdict` would copy every list in it, at several times the cost.

        Raises:
            OSError: it cannot be written, and nothing of it was; or the file was removed.
        """
        line = {
            "t_s": round(time.monotonic() - self._epoch_s, 6),
            "record": _snake(type(record).__name__),
            **{name: getattr(record, name) for name in record.__slots__},
        }
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._writing:
            if self._failed:
                return
            try:
                with naming(self.path):
                    self._append(data)
            except OSError as error:
                if self._on_failure is None:
                    raise
                self._failed = True
                self._on_failure(error)

    def run_s(self, monotonic_s: float) -> float:
        """Return a time of time.monotonic() on the run's clock, to 0.1 ms."""
        return round(monotonic_s - self._epoch_s, 4)

    def is_in_place(self) -> bool:
        """Tell whether the file is still at its path: nobody has removed or moved it."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except OSError:
            return False

    def _append(self, data: bytes) -> None:
        """Write the whole line or nothing of it: a disk that fills up first takes a part."""
        if os.fstat(self._file.fileno()).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, REMOVED)
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            if written:
                self._file.truncate(os.fstat(self._file.fileno()).st_size - written)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a journal's lines; a last line cut off by a kill is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
