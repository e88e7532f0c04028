"""The folder of a cell: whether its run is done, was interrupted, or is yet to do.

OUT/cells/NAME/ has run/ (the run folder), log.txt (the launcher's output) and cell.json (the
cell's identity and, after the run, how it ended and the resources that it used).
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError, Undecided
from prisam_p2p.experiment.cell_code import check_code
from prisam_p2p.experiment.code_digest import is_stale, present_code
from prisam_p2p.experiment.resolved_cell import ResolvedCell, difference
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verdicts import judge

CELLS = "cells"
"""Name of the folder, in an experiment's, with the folders of its cells."""

_BULKY = ("state", "models")
"""Large folders of a finished run that no table needs: a model or more for every peer."""


SOUND = (0, Undecided.exit_code)
"""Exit codes of runs that failed none of the checks that could be decided."""


class CellState(Enum):
    """Whether a cell has to be run."""

    TO_DO = "to do"
    CUT_OFF = "cut off"
    DONE = "done"


@dataclass(frozen=True)
class CellEnding:
    """How a cell's run ended, and the resources that it used.

    Attributes:
        kind: as in ResolvedCell.
        exit_code: the launcher's.
        wall_s: duration of the last command of this run, to the end of its process.
        memory_mib: by how much the host's free memory fell; None if other cells ran meanwhile.
        resumed: whether the last command resumed an interrupted run.
    """

    kind: str
    exit_code: int
    wall_s: float
    memory_mib: float | None
    resumed: bool = False


@dataclass(frozen=True)
class CellFolder:
    """The folder of one cell."""

    path: Path

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.path / "run")

    @property
    def report(self) -> Path:
        """The page of the run (`prisam report`), if it was written."""
        return self.path / "run" / "report.html"

    @property
    def measures(self) -> Path:
        """The file of the run's measures, once they were computed."""
        return self.path / "measures.json"

    @property
    def log(self) -> Path:
        """The file of the launcher's output."""
        return self.path / "log.txt"

    def state(self, wanted: ResolvedCell) -> CellState:
        """Return whether the folder has a finished or an interrupted run of this cell.

        Raises:
            ConfigError: the folder has a finished run of a different cell, or an interrupted one
                whose plan.json names other code than this cell.
        """
        record = self._record()
        if record is None:
            return CellState.TO_DO
        other = difference(record["identity"], wanted.identity)
        if record["ending"] is None:
            return CellState.TO_DO if other else self._interrupted_state(wanted)
        if record["ending"]["exit_code"] not in SOUND or not self._completed():
            return CellState.TO_DO
        if other:
            right = f"a run of this cell ({other}); choose another --out or remove that folder"
            raise ConfigError("--out", "", str(self.path), right)
        return CellState.DONE

    def ending(self) -> CellEnding | None:
        """Return how the last run ended, None if there is none."""
        record = self._record()
        return CellEnding(**record["ending"]) if record and record["ending"] else None

    def digests(self) -> list[str]:
        """Return the digests of the code that began and ended the run; none of earlier versions."""
        return list((self._record() or {}).get("code_digests", []))

    def stale(self) -> bool:
        """Tell whether there is a run that other code than the present began or ended."""
        return self._record() is not None and is_stale(self.digests(), present_code())

    def begin(self, resolved: ResolvedCell) -> None:
        """Remove what is there and note that a run begins."""
        self.clear()
        self.path.mkdir(parents=True)
        self._write(resolved, None)

    def clear(self) -> None:
        """Remove the folder and everything in it."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def end(self, resolved: ResolvedCell, ending: CellEnding, keep_models: bool) -> None:
        """Note how a run ended; without `keep_models`, remove models and peer states."""
        if not keep_models:
            for name in _BULKY:
                shutil.rmtree(self.path / "run" / name, ignore_errors=True)
        self._write(resolved, ending)

    def last_lines(self, n: int = 5) -> list[str]:
        """Return the last lines of the launcher's output, none if there is none."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-n:]
        except OSError:
            return []

    def _write(self, resolved: ResolvedCell, ending: CellEnding | None) -> None:
        record = {
            "labels": dict(resolved.cell.labels),
            "identity": resolved.identity,
            "ending": asdict(ending) if ending else None,
            "code_digests": list(dict.fromkeys([*self.digests(), present_code()])),
        }
        write_whole(self.path / "cell.json", json.dumps(record, indent=1) + "\n")

    def _record(self) -> Mapping[str, Any] | None:
        try:
            record: Mapping[str, Any] = json.loads((self.path / "cell.json").read_text())
        except (OSError, ValueError):
            return None
        return record

    def _interrupted_state(self, wanted: ResolvedCell) -> CellState:
        """Return the state of a run whose `prisam experiment` ended before it."""
        if self._completed():
            return CellState.TO_DO if judge(self._summary()).broken else CellState.DONE
        if not (self.run.path / "plan.json").exists():
            return CellState.TO_DO
        check_code(self.run.path, wanted.settings)
        return CellState.CUT_OFF

    def _completed(self) -> bool:
        return bool(self._summary().get("status") == "completed")

    def _summary(self) -> Mapping[str, Any]:
        try:
            summary: Mapping[str, Any] = json.loads((self.path / "run/summary.json").read_text())
        except (OSError, ValueError):
            return {}
        return summary


def cell_folders(out: Path) -> list[CellFolder]:
    """Return the folders of an experiment's cells that have begun, by name."""
    return [CellFolder(path.parent) for path in sorted((out / CELLS).glob("*/cell.json"))]


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Lock an experiment's folder, which is created if needed, against other `prisam experiment`s.

    Yields:
        The descriptor that holds the lock.

    Raises:
        ConfigError: the folder is locked, or cannot be created.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                right = "a folder in which no other prisam experiment, or a run of one, is at work"
                raise ConfigError("--out", "", str(out), right) from None
            yield file.fileno()
    except NotADirectoryError as error:
        raise ConfigError("--out", "", str(out), "a folder") from error
    except FileExistsError as error:
        raise ConfigError("--out", "", str(out), "a folder, not a file") from error
