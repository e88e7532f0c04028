"""Keeps what was pulled last from each donor on disk, so that equal bytes are pulled once."""

from __future__ import annotations

import contextlib
import tempfile
from typing import IO


class Spool:
    """Buffers by donor, in unnamed temporary files, of which nothing is left behind.

    Args:
        limit_bytes: bytes kept in all; a buffer that does not fit is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: dict[str, tuple[bytes, int, IO[bytes]]] = {}

    def put(self, donor: str, digest: bytes, buffer: bytes | memoryview) -> None:
        """Keep `buffer` in place of the donor's previous one."""
        before = self._kept.get(donor)
        if before and before[0] == digest:
            return
        others = sum(n for name, (_, n, _) in self._kept.items() if name != donor)
        if others + len(buffer) > self._limit_bytes:
            return
        self._kept.pop(donor, None)  # an incomplete buffer must not be found
        with contextlib.suppress(OSError):  # the disk is full: the buffer will be fetched again
            file = before[2] if before else _nameless_file()
            file.seek(0)
            file.truncate()
            file.write(buffer)
            self._kept[donor] = (digest, len(buffer), file)

    def get(self, donor: str, digest: bytes) -> memoryview | None:
        """Return a copy of the donor's buffer, if it has this digest."""
        kept = self._kept.get(donor)
        if kept is None or kept[0] != digest:
            return None
        kept[2].seek(0)
        buffer = memoryview(bytearray(kept[2].read()))
        return buffer if len(buffer) == kept[1] else None

    def close(self) -> None:
        """Delete all buffers."""
        for _, _, file in self._kept.values():
            file.close()
        self._kept.clear()


def _nameless_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="prisam-spool-", buffering=0)
