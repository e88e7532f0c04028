"""The launcher's end of the process that writes a run for a tracker while it runs (`--log-to`)."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prisam_p2p.launch.companion import Companion

_MODULE = "prisam_p2p.export"
_ENDING_S = 120.0
"""It reads the whole run once more, before it ends."""


@contextmanager
def logging_to(run_dir: Path, tracker: str | None) -> Iterator[None]:
    """Write a run for a tracker within the block, if one is named; print where.

    A log that does not begin, or breaks off, is told on stderr; the run goes on.
    """
    if tracker is None:
        yield
        return
    with tempfile.TemporaryFile(prefix="prisam-log-") as errors:
        log = _started(run_dir, tracker, errors)
        try:
            yield
        finally:
            if log and not log.close():
                _tell(f"{tracker} has not all of the run: {log.complaint()}")
                _tell(f"to write it anew: prisam export {run_dir} --to {tracker}")


def _started(run_dir: Path, tracker: str, errors: IO[bytes]) -> Companion | None:
    """Start the process and print where it writes; end one that does not begin."""
    try:
        log = Companion(_MODULE, [str(run_dir), tracker], errors, _ENDING_S)
    except OSError as error:
        _tell(f"{tracker} gets nothing: {error.strerror}")
        return None
    try:
        if said := log.first_line():
            _tell(str(said["look"]))
            return log
        _tell(f"{tracker} gets nothing: {log.complaint()}")
    except BaseException:
        log.close()
        raise
    log.close()
    return None


def _tell(what: str) -> None:
    print(f"log: {what}", file=sys.stderr, flush=True)
