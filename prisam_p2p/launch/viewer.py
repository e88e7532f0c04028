"""The launcher's end of the process that shows a run in a browser (`--ui`).

The launcher starts it, prints its address, and lets go of it at the end; it also ends when the
launcher is killed. A run without its page is worth as much: what goes wrong with the viewer is
told, and the run goes on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prisam_p2p.launch.companion import Companion
from prisam_p2p.measure.journal import Journal
from prisam_p2p.measure.records import Watched

_MODULE = "prisam_p2p.page_server"
_ENDING_S = 30.0
"""It reads the end of the run and lets pages have it, before it ends."""


class Viewer(Companion):
    """The viewer's process of one run folder.

    Args:
        errors: see Companion.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, run_dir: Path, errors: IO[bytes]) -> None:
        super().__init__(_MODULE, [str(run_dir)], errors, _ENDING_S)

    def address(self) -> str | None:
        """Wait for the address that it answers at; None: it does not, and `complaint` says why."""
        said = self.first_line()
        return str(said["address"]) if said else None


@contextmanager
def viewer_of(run_dir: Path, is_wanted: bool) -> Iterator[Viewer | None]:
    """Show a run in a browser within the block, if that is wanted; print the address.

    Yields:
        The viewer; None without one.
    """
    if not is_wanted:
        yield None
        return
    with tempfile.TemporaryFile(prefix="prisam-viewer-") as errors:
        viewer = _started(run_dir, errors)
        try:
            yield viewer
        finally:
            if viewer:
                viewer.close()


def _started(run_dir: Path, errors: IO[bytes]) -> Viewer | None:
    """Start a viewer and print its address; end one that gives none."""
    try:
        viewer = Viewer(run_dir, errors)
    except OSError as error:
        _tell(f"there is no page: {error.strerror}")
        return None
    try:
        if address := viewer.address():
            _tell(address)
            return viewer
        _tell(f"there is no page: {viewer.complaint()}")
    except BaseException:
        viewer.close()
        raise
    viewer.close()
    return None


def _tell(what: str) -> None:
    print(f"view: {what}", file=sys.stderr, flush=True)


@contextmanager
def noting_views(viewer: Viewer | None, journal: Journal, epoch_s: float) -> Iterator[None]:
    """Write down from when to when a run had a viewer: when the block begins, and at its end.

    A viewer that was gone before leaves the first record only.
    """
    if viewer is None or not viewer.is_there:
        yield
        return
    from_s = _now_s(epoch_s)
    journal.write(Watched(from_s, None))
    try:
        yield
    finally:
        if viewer.is_there:
            journal.write(Watched(from_s, _now_s(epoch_s)))


def _now_s(epoch_s: float) -> float:
    return round(time.monotonic() - epoch_s, 6)
