"""Run a cell in a child process: `prisam launch`, or `prisam resume` after an interruption."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from prisam_p2p.experiment.cell_folder import CellFolder, CellState
from prisam_p2p.experiment.cells import Cell
from prisam_p2p.experiment.resolved_cell import ResolvedCell
from prisam_p2p.plan.user_code import code_named
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.stop_requests import held_back

_ROUND_IS_OVER = b'"record":"traffic"'
_INTERRUPT_TIMEOUT_S = 60.0


def launch_arguments(cell: Cell, run_dir: Path) -> list[str]:
    """Return the arguments of `prisam` that run a cell into `run_dir`."""
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
class CellProcess:
    """The process of a running cell.

    It has its own session, so that a terminal's Ctrl-C does not reach it.

    Attributes:
        resumed: whether it resumes an interrupted run.
        began_s: on the monotonic clock.
    """

    resolved: ResolvedCell
    folder: CellFolder
    process: psutil.Popen
    resumed: bool
    began_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began_s

    def share(self) -> float:
        """Return the share of its rounds, in [0, 1], that its first peer has finished."""
        path = self.folder.path / "run" / "journal" / f"{self.resolved.topology.peer_ids[0]}.jsonl"
        try:
            done = path.read_bytes().count(_ROUND_IS_OVER)
        except OSError:
            return 0.0
        return min(1.0, done / self.resolved.settings.rounds)

    def interrupt(self) -> None:
        """Ask the launcher to stop its peers and end."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(signal.SIGINT)

    def wait_or_kill(self) -> None:
        """Wait for its end; after a timeout, kill it and all processes that it started."""
        try:
            self.process.wait(_INTERRUPT_TIMEOUT_S)
        except psutil.TimeoutExpired:
            for each in [*self.process.children(recursive=True), self.process]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self.process.wait(_INTERRUPT_TIMEOUT_S)


def start(resolved: ResolvedCell, folder: CellFolder, lock: int) -> CellProcess:
    """Start a cell's run, or resume an interrupted one. The remains of a failed one are removed.

    Args:
        lock: the descriptor of `locked`. The process inherits it, so that the folder stays locked
            until the process ends, even if this one is killed.
    """
    run_dir = folder.path / "run"
    resumed = folder.state(resolved) is CellState.CUT_OFF
    if resumed:
        arguments = ["resume", str(run_dir)]
    else:
        folder.begin(resolved)
        arguments = launch_arguments(resolved.cell, run_dir)
    if code_named(resolved.settings):  # `check_data` has seen that the user trusts it
        arguments.append("--trust-code")  # `state`, that a run to resume names no other code
    with folder.log.open("a") as log:
        print("prisam", *arguments, file=log, flush=True)
        with held_back():
            process = psutil.Popen(
                [*CHILD_PYTHON, "-m", "prisam_p2p", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=child_environment(),
                start_new_session=True,
                pass_fds=(lock,),
            )
    return CellProcess(resolved, folder, process, resumed)
