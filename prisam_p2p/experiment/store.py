"""An experiment's folder: what is done, and what is not.

OUT/cells/NAME/ holds a cell: run/ (its run folder), log.txt (what the launcher printed), and
cell.json: what decides it, and once the run is over how it ended and what it took.
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
from prisam_p2p.experiment.identity import Resolved, difference
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verdicts import judge

_BULKY = ("state", "models")
"""Folders of a finished run that no table needs, a model or more for every peer."""


SOUND = (0, Undecided.exit_code)
"""Exit codes of a run that broke no rule that could be checked."""


class State(Enum):
    """Of a cell."""

    TO_DO = "to do"
    CUT_OFF = "cut off"
    DONE = "done"


@dataclass(frozen=True)
class Ending:
    """How a cell's run ended, and what it took.

    Attributes:
        exit_code: the launcher's.
        wall_s: of the command that ended it, until its summary was written.
        memory_mib: most that the host had less while it ran; None where others ran beside it.
        resumed: an earlier command was cut off, and this one went on with its run.
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
        """Its run folder."""
        return RunFolder(self.path / "run")

    @property
    def log(self) -> Path:
        """What the launcher printed, for people."""
        return self.path / "log.txt"

    def state(self, wanted: Resolved) -> State:
        """Return whether the run of this cell is there, whole or cut off.

        Raises:
            ConfigError: a whole run is there, but of something else than this cell.
        """
        record = self._record()
        if record is None:
            return State.TO_DO
        other = difference(record["identity"], wanted.identity)
        if record["ending"] is None:
            return State.TO_DO if other else self._unattended()
        if record["ending"]["exit_code"] not in SOUND or not self._completed():
            return State.TO_DO
        if other:
            right = f"a run of this cell ({other}): give another --out, or remove that folder"
            raise ConfigError("--out", "", str(self.path), right)
        return State.DONE

    def ending(self) -> Ending | None:
        """Return how its last run ended, None if none did."""
        record = self._record()
        return Ending(**record["ending"]) if record and record["ending"] else None

    def begin(self, resolved: Resolved) -> None:
        """Make room for a run, which has not ended: what a broken one left is removed."""
        self.clear()
        self.path.mkdir(parents=True)
        self._write(resolved, None)

    def clear(self) -> None:
        """Remove all that is there."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def end(self, resolved: Resolved, ending: Ending, keep_models: bool) -> None:
        """Note how a run ended."""
        if not keep_models:
            for name in _BULKY:
                shutil.rmtree(self.path / "run" / name, ignore_errors=True)
        self._write(resolved, ending)

    def last_lines(self, n: int = 5) -> list[str]:
        """Return the last of what the launcher printed."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-n:]
        except OSError:
            return []

    def _write(self, resolved: Resolved, ending: Ending | None) -> None:
        record = {
            "labels": dict(resolved.cell.labels),
            "identity": resolved.identity,
            "ending": asdict(ending) if ending else None,
        }
        write_whole(self.path / "cell.json", json.dumps(record, indent=1) + "\n")

    def _record(self) -> Mapping[str, Any] | None:
        try:
            record: Mapping[str, Any] = json.loads((self.path / "cell.json").read_text())
        except (OSError, ValueError):
            return None
        return record

    def _unattended(self) -> State:
        """Return what came of a run whose `prisam experiment` did not see its end."""
        if self._completed():
            return State.TO_DO if judge(self._summary()).broken else State.DONE
        return State.CUT_OFF if (self.path / "run" / "plan.json").exists() else State.TO_DO

    def _completed(self) -> bool:
        return bool(self._summary().get("status") == "completed")

    def _summary(self) -> Mapping[str, Any]:
        try:
            summary: Mapping[str, Any] = json.loads((self.path / "run/summary.json").read_text())
        except (OSError, ValueError):
            return {}
        return summary


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Hold an experiment's folder, made if it is not there, against another `prisam experiment`.

    Yields the descriptor that holds it.

    Raises:
        ConfigError: another one holds it, or it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                right = "a folder that no other prisam experiment, or a run that one left, works in"
                raise ConfigError("--out", "", str(out), right) from None
            yield file.fileno()
    except NotADirectoryError as error:
        raise ConfigError("--out", "", str(out), "a folder") from error
    except FileExistsError as error:
        raise ConfigError("--out", "", str(out), "a folder, not a file") from error
