"""A cell's run: `prisam launch`, or `prisam resume`, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from prisam_p2p.experiment.cells import Cell
from prisam_p2p.experiment.identity import Resolved
from prisam_p2p.experiment.store import CellFolder, State
from prisam_p2p.shipped import ROOT

_PROGRAM = "from prisam_p2p.cli import main; main()"
_ROUND_IS_OVER = b'"record":"traffic"'
_INTERRUPT_TIMEOUT_S = 60.0


def launch_arguments(cell: Cell, run_dir: Path) -> list[str]:
    """Return the arguments of `prisam` that run a cell."""
    faults = ["--faults", str(cell.faults)] if cell.faults else []
    options = [
        o for key, v in {**cell.settings, "baseline": "none"}.items() for o in _option(key, v)
    ]
    return ["launch", str(cell.topology), *faults, *options, "--run-dir", str(run_dir)]


def _option(key: str, value: Any) -> list[str]:
    flag = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [] if value is None else [f"--{flag}", str(value)]


@dataclass
class Child:
    """A cell that runs. It is in a session of its own: a terminal's Ctrl-C does not reach it.

    Attributes:
        resumed: it goes on with a run that was cut off.
    """

    resolved: Resolved
    folder: CellFolder
    process: psutil.Popen
    resumed: bool
    began_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.began_s

    def share(self) -> float:
        """Return the share of its rounds that its first peer has finished."""
        path = self.folder.path / "run" / "journal" / f"{self.resolved.topology.peer_ids[0]}.jsonl"
        try:
            done = path.read_bytes().count(_ROUND_IS_OVER)
        except OSError:
            return 0.0
        return min(1.0, done / self.resolved.settings.rounds)

    def interrupt(self) -> None:
        """Ask it to stop its peers and end."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(signal.SIGINT)

    def wait_or_kill(self) -> None:
        """Wait until it has ended; if it does not in time, kill all that it started."""
        try:
            self.process.wait(_INTERRUPT_TIMEOUT_S)
        except psutil.TimeoutExpired:
            for each in [*self.process.children(recursive=True), self.process]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self.process.wait(_INTERRUPT_TIMEOUT_S)


def start(resolved: Resolved, folder: CellFolder, lock: int) -> Child:
    """Start a cell's run, or go on with one that was cut off; what a broken one left is removed.

    It inherits the descriptor `lock`: if we are killed, nobody writes to its folder until it ends.
    """
    run_dir = folder.path / "run"
    resumed = folder.state(resolved) is State.CUT_OFF
    if resumed:
        arguments = ["resume", str(run_dir)]
    else:
        folder.begin(resolved)
        arguments = launch_arguments(resolved.cell, run_dir)
    with folder.log.open("a") as log:
        print("prisam", *arguments, file=log, flush=True)
        process = psutil.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,
            pass_fds=(lock,),
        )
    return Child(resolved, folder, process, resumed)


def _environment() -> Mapping[str, str]:
    """Return ours, such that the child runs this code and no other that is installed."""
    others = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), *([others] if others else [])])
    return {**os.environ, "PYTHONPATH": path}
