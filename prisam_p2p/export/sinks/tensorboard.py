"""TensorBoard's event files: scalars, and remarks as text. Written without TensorFlow or torch."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prisam_p2p.export.points import ExportedRun, ExportMarker, ExportPoint


def write(run: ExportedRun, out: str) -> bool:
    """Write an event file into the folder `out`."""
    log = EventLog(Path(out), run.began_s)
    try:
        log.describe(run)
        log.add(run.points, run.markers)
        log.conclude(run)
    finally:
        log.close()
    return False


def look(out: str) -> str:
    """Return what the user does to see it."""
    return f"tensorboard --logdir {shlex.quote(out)}"


class EventLog:
    """An event file that grows.

    Args:
        folder: it is there.
        began_s: when the run's clock was 0, in seconds since 1970.
    """

    def __init__(self, folder: Path, began_s: float) -> None:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        # Readers take what has "tfevents" in its name, and go on from one file to the next by name.
        # Without the name of the host, which others put there: folders are shared.
        name = f"events.out.tfevents.{time.time_ns():020d}.{os.getpid()}"
        self._events, self._began_s = event_pb2, began_s
        self._file = RecordWriter((folder / name).open("wb"))
        self._add(0.0, 0, file_version="brain.Event:2")
        # A reader that has points of an earlier export drops them.
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.SessionStatus.Value("START"))
        self._add(0.0, 0, session_log=start)

    def describe(self, run: ExportedRun) -> None:
        """Add the run's settings."""
        rows = [f"| {name} | {value} |" for name, value in run.settings.items()]
        settings = "\n".join(["| setting | value |", "|---|---|", *rows])
        self._text(0.0, 0, "about/settings", settings)

    def add(self, points: Iterable[ExportPoint], markers: Iterable[ExportMarker]) -> None:
        """Add points and markers; a reader sees them when this returns."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        for each in points:
            value = Summary.Value(tag=each.tag, simple_value=each.value)
            self._add(each.t_s, each.round, summary=Summary(value=[value]))
        for marker in markers:
            self._text(marker.t_s, marker.round, marker.tag, marker.text)
        self._file.flush()

    def conclude(self, run: ExportedRun) -> None:
        """Add the result in a sentence."""
        last_s = max((each.t_s for each in run.points), default=0.0)
        self._text(last_s, max(run.n_rounds - 1, 0), "about/result", run.headline or run.status)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _text(self, t_s: float, at: int, tag: str, text: str) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(t_s, at, summary=text_pb(tag, text))

    def _add(self, t_s: float, at: int, **what: Any) -> None:
        event = self._events.Event(wall_time=self._began_s + t_s, step=at, **what)
        self._file.write(event.SerializeToString())
