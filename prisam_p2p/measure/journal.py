"""The append-only file of one process: one record a line, written before the next step."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prisam_p2p.measure.records import Record


class Journal:
    """Writes records; a process that is killed leaves whole lines behind.

    Args:
        path: the file; created, or appended to by a later incarnation, which first removes a
            last line that was cut off.
        epoch_s: CLOCK_MONOTONIC at the run's beginning, one clock for all processes.
    """

    def __init__(self, path: Path, epoch_s: float) -> None:
        self._file = path.open("ab", buffering=0)
        self._file.truncate(path.read_bytes().rfind(b"\n") + 1)
        self._epoch_s = epoch_s

    def write(self, record: Record) -> None:
        """Append `record`, with the time it was written."""
        line = {
            "t_s": round(time.monotonic() - self._epoch_s, 6),
            "record": _snake(type(record).__name__),
            **asdict(record),
        }
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

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
