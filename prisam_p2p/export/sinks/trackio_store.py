"""Trackio, local: a run in the project `prisam` of a folder that TRACKIO_DIR names."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

from prisam_p2p.export.points import ExportedRun
from prisam_p2p.export.sinks.rounds import by_round

PROJECT = "prisam"


def write(run: ExportedRun, out: str) -> bool:
    """Write a run, in place of what an earlier export of it made; return whether there was one.

    Args:
        out: the folder, which is made.
    """
    os.environ["TRACKIO_DIR"] = str(Path(out).resolve())  # it is read when trackio is imported
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    if Path(trackio.TRACKIO_DIR) != Path(out).resolve():
        raise RuntimeError(f"trackio was imported before, for {trackio.TRACKIO_DIR}")
    SQLiteStorage.init_db(PROJECT)
    rounds = list(by_round(run.points))
    earlier = [each for each in trackio.Api().runs(PROJECT) if each.id == run.run_id]
    for each in earlier:
        each.delete()
    SQLiteStorage.bulk_log(
        PROJECT,
        run.name,
        [{**values, "t_s": t_s} for _, t_s, values in rounds],
        [at for at, _, _ in rounds],
        [_instant(run.began_s + t_s) for _, t_s, _ in rounds],
        config={**run.settings, "status": run.status, "headline": run.headline},
        run_id=run.run_id,
    )
    return bool(earlier)


def look(out: str) -> str:
    """Return what the user does to see it."""
    return f"TRACKIO_DIR={shlex.quote(str(Path(out).resolve()))} trackio show --project {PROJECT}"


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
