"""Names of files in a run folder that the launcher writes and the report reads."""

from __future__ import annotations

from pathlib import Path

FAULTS = "faults.json"
"""The fault plan of a run."""
TWIN = "twin"
"""The run folder of the control run: the same plan without faults."""
WATCHED = "watched.jsonl"
"""From when to when `prisam view` showed a run while it ran."""
_BASELINE = "baseline-"


def baseline_folder(run_dir: Path, algorithm: str) -> Path:
    """Return the path of a baseline's run folder."""
    return run_dir / f"{_BASELINE}{algorithm}"


def baseline_of(run_dir: Path) -> Path | None:
    """Return the run folder of the baseline inside `run_dir`, None without one."""
    return next(iter(sorted(run_dir.glob(f"{_BASELINE}*"))), None)
