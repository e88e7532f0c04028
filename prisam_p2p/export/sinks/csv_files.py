"""Two CSV files: metrics.csv with a row for each point, markers.csv with one for each remark."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from prisam_p2p.export.points import ExportedRun

METRICS, MARKERS = "metrics.csv", "markers.csv"


def write(run: ExportedRun, out: str) -> bool:
    """Write the files into the folder `out`."""
    rows = (astuple(each) for each in run.points)
    _write(Path(out, METRICS), ("t_s", "round", "tag", "value"), rows)
    rows = (astuple(each) for each in run.markers)
    _write(Path(out, MARKERS), ("t_s", "round", "tag", "text"), rows)
    return False


def look(out: str) -> str:
    """Return what the user does to see it."""
    return f"{Path(out, METRICS)}: a row for each round and tag"


def _write(path: Path, heading: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)
