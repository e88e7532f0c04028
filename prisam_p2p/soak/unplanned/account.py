"""What a run says of itself when it is over: exit code, output, files, summary."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.soak.unplanned.run_view import RunView

PRISAM = (*CHILD_PYTHON, "-m", "prisam_p2p")
"""The `prisam` command, of this interpreter and this code."""

_TRACEBACKS = ("Traceback (most recent call last)", "Fatal Python error")
HALF_WRITTEN = "half-written"
"""Begins what is said of a file that was not renamed to its place."""

_QUOTED = "  | "
"""Begins a line that an error quotes from a process that ended."""


@dataclass(frozen=True)
class Asked:
    """What a `prisam` command came to."""

    exit_code: int
    out: str
    err: str


@dataclass(frozen=True)
class RunAccount:
    """What a run says of itself.

    Attributes:
        launched: exit code and output of the launcher.
        began, ready, ended: see RunView.
        deployed: peers whose journal has their final model.
        rounds: peer -> rounds that its journal says are over.
        started: peers that had a process.
        summary: summary.json; None = there is none, though the run began.
        summarized: what `prisam summary` came to; None = it was not asked.
        resumed: what `prisam resume` came to; None = it was not asked.
        left: in words, files and locks that it left.
        logged: peers whose log has a Python traceback.
    """

    launched: Asked
    began: bool = False
    ready: bool = False
    ended: bool = False
    deployed: frozenset[str] = frozenset()
    rounds: dict[str, int] = field(default_factory=dict)
    started: frozenset[str] = frozenset()
    summary: dict[str, Any] | None = None
    summarized: Asked | None = None
    resumed: Asked | None = None
    left: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)


def ask(arguments: Sequence[object], timeout_s: float) -> Asked:
    """Run a `prisam` command; its exit code is -9 where it took longer than `timeout_s`."""
    command = [*PRISAM, *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=child_environment(),
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
        finally:
            child.kill()
    return Asked(child.returncode, out, err)


def account_of(run_dir: Path, output: Path, exit_code: int, temporary: Path) -> RunAccount:
    """Return what a run says that has ended; nothing is written.

    Args:
        output: see `disturb`.
        temporary: the folder for temporary files that the run was given.
    """
    out, err = (output.with_suffix(end).read_text(errors="replace") for end in (".out", ".err"))
    view = RunView(run_dir)
    view.look()
    return RunAccount(
        launched=Asked(exit_code, out, err),
        began=view.began,
        ready=view.ready,
        ended=view.ended,
        deployed=frozenset(view.deployed),
        rounds=dict(view.rounds),
        started=frozenset(view.started),
        summary=_read(run_dir / "summary.json"),
        left=left_behind(run_dir, temporary),
        logged=_logged(run_dir),
    )


def tracebacks(text: str) -> list[str]:
    """Return the lines of an output that begin a traceback, except what an error quotes."""
    lines = (line for line in text.splitlines() if not line.startswith(_QUOTED))
    return [line for line in lines if any(each in line for each in _TRACEBACKS)]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def left_behind(run_dir: Path, temporary: Path) -> list[str]:
    """Return in words the files and locks that a run has left; half-written ones come first."""
    parts = [f"{HALF_WRITTEN} {path.relative_to(run_dir)}" for path in run_dir.rglob(".*.part")]
    files = [f"temporary file {path.name}" for path in temporary.iterdir()]
    return sorted(parts) + sorted(files) + _left_locks(run_dir)


def _left_locks(run_dir: Path) -> list[str]:
    path = run_dir / "journal" / "launcher.jsonl"
    if not path.exists():
        return []
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ["a lock on the run folder"]
    return []


def _logged(run_dir: Path) -> list[str]:
    logs = sorted((run_dir / "logs").glob("*.log"))
    return [log.stem for log in logs if _TRACEBACKS[0] in log.read_text(errors="replace")]
