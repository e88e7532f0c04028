"""Notes in a run folder from when to when a running run was watched, beside its journals."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path


class WatchNote:
    """Writes a line when pages begin to watch a running run, and another when they end.

    Args:
        path: the file; None: nothing is written. Where it takes no line, none is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._from_s: float | None = None

    def take(self, is_watched: bool, now_s: float) -> None:
        """Note that a run is watched, or is not.

        Args:
            now_s: on the run's clock.
        """
        if is_watched and self._from_s is None:
            self._from_s = now_s
            self._write(now_s, None)
        elif not is_watched and self._from_s is not None:
            self._write(now_s, now_s)
            self._from_s = None

    def _write(self, now_s: float, to_s: float | None) -> None:
        if self._path is None:
            return
        line = {"t_s": now_s, "record": "watched", "from_s": self._from_s, "to_s": to_s}
        with suppress(OSError), open(self._path, "ab", buffering=0, opener=_opener) as file:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def _opener(path: str, flags: int) -> int:
    """Open a file of the folder itself: a stranger's folder may hold a link to another."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
