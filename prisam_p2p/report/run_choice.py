"""Which run is meant: the newest, the one of a unique prefix, or the folder itself."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Told, near

RUNS = Path("runs")
"""Where runs are, from the current folder."""

_SHOWN = 5


def runs_in(folder: Path) -> list[Path]:
    """Return the run folders in `folder`, the newest first; a run begins with its plan.json."""
    began = [(plan.stat().st_mtime_ns, plan.parent) for plan in folder.glob("*/plan.json")]
    return [run for _, run in sorted(began, reverse=True)]


def choose_run(given: str | None, where: str = "RUN", besides: Path | None = None) -> Path:
    """Return the run folder that `given` means.

    Args:
        given: a run folder; the beginning of the name of one, in ./runs if it names no other
            folder; or None, for the newest in ./runs.
        where: the argument, for errors.
        besides: a run that None does not mean.

    Raises:
        ConfigError: there is no such run, or more than one.
    """
    if given is None:
        return _newest(where, besides)
    path = Path(given)
    if (path / "plan.json").exists():
        return path
    folder = RUNS if path.name == given else path.parent
    runs = runs_in(folder)
    found = [run for run in runs if run.name.startswith(path.name)]
    if len(found) == 1:
        return found[0]
    if found:
        right = f"one run, not {len(found)} that begin so: {_listed(found)}"
        raise ConfigError(where, "", given, right)
    if path.exists():
        return path  # what reads it says what it lacks
    nearest = f"; {near(path.name, [run.name for run in runs])}" if runs else ""
    raise ConfigError(where, "", given, f"a run folder{nearest} (looked in {folder})")


def _newest(where: str, besides: Path | None) -> Path:
    avoided = besides.resolve() if besides else None
    for run in runs_in(RUNS):
        if run.resolve() != avoided:
            return run
    right = f"a run folder; there is no {'other ' if besides else ''}run in {RUNS}"
    raise ConfigError(where, "", Told("left out"), right)


def _listed(runs: list[Path]) -> str:
    names = [run.name for run in runs[:_SHOWN]]
    return ", ".join([*names, ".."] if len(runs) > _SHOWN else names)
