"""What lies in a run folder beside its journals: names that launcher and report agree on."""

from __future__ import annotations

from pathlib import Path

FAULTS = "faults.json"
"""The fault plan of a run."""
TWIN = "twin"
"""The run folder of the same plan without its faults."""
_BASELINE = "baseline-"


def baseline_folder(run_dir: Path, algorithm: str) -> Path:
    """Return where the run folder of a baseline lies, or is to lie."""
    return run_dir / f"{_BASELINE}{algorithm}"


def baseline_of(run_dir: Path) -> Path | None:
    """Return the run folder of the baseline inside `run_dir`, None without one."""
    return next(iter(sorted(run_dir.glob(f"{_BASELINE}*"))), None)
