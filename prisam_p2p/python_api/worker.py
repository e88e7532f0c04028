"""The child process in which a run from Python is launched. `child` starts it."""

from __future__ import annotations

import json
import os
import select
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prisam_p2p.errors import LaunchError, PrisamError
from prisam_p2p.launch.launch import Launched, launch
from prisam_p2p.launch.progress import NoDisplay, ProgressDisplay, ProgressView
from prisam_p2p.measure.folders import TWIN
from prisam_p2p.plan.named_files import FAULT_FILES, TOPOLOGY_FILES
from prisam_p2p.python_api.messages import (
    LaunchAdvanced,
    LaunchEnded,
    LaunchFailed,
    LaunchMessage,
    to_line,
)
from prisam_p2p.python_api.request import LaunchOrder
from prisam_p2p.report.run_choice import RUNS
from prisam_p2p.report.summaries import Summaries
from prisam_p2p.system.refusals import refusal_of, refused
from prisam_p2p.system.stop_requests import raising_when_asked

_EVERY_S = 0.2


class PipeDisplay:
    """Tells the caller how far the run is: when there is news, and a few times a second."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at_s = float("-inf")

    def show(self, view: ProgressView) -> None:
        """See ProgressDisplay."""
        if time.monotonic() - self._at_s < _EVERY_S or not self._is_read():
            return
        self._at_s = time.monotonic()
        told = LaunchAdvanced(
            view.label,
            view.phase,
            view.slowest_round,
            view.rounds_done,
            view.all_rounds,
            view.line(),
        )
        tell(self._fd, told)

    def end(self) -> None:
        """See ProgressDisplay."""

    def _is_read(self) -> bool:
        """Tell whether there is room in the pipe: a caller that stops reading must not stop us."""
        return bool(select.select([], [self._fd], [], 0)[1])


def work(order: Mapping[str, Any], fd: int) -> None:
    """Do what a LaunchOrder says, and tell its end on the descriptor `fd`."""
    os.set_inheritable(fd, False)
    begun: list[Path] = []
    try:
        with raising_when_asked():
            ended = _launched(LaunchOrder(**order), fd, begun)
    except (Exception, KeyboardInterrupt) as error:
        tell(fd, LaunchFailed(_as_told(error), _folder_in(begun)))
    else:
        tell(fd, ended)


def tell(fd: int, message: LaunchMessage) -> None:
    """Write a message, whole."""
    left = memoryview(to_line(message))
    while left:
        left = left[os.write(fd, left) :]


def _launched(order: LaunchOrder, fd: int, begun: list[Path]) -> LaunchEnded:
    """Launch the run; note the folder of the run in `begun` once there is one."""
    source = TOPOLOGY_FILES.find(order.topology, "topology")
    faults = FAULT_FILES.find(order.faults, "faults") if order.faults else None
    summaries = Summaries()

    def after_run(run_dir: Path) -> None:
        begun.append(run_dir)
        summaries.make(run_dir)

    def display(quiet: bool) -> ProgressDisplay:
        return NoDisplay() if quiet else PipeDisplay(fd)

    launched = launch(
        source,
        order.settings,
        Path(order.run_dir) if order.run_dir else None,
        RUNS,
        time.strftime("%Y%m%d-%H%M%S"),
        not order.progress,
        after_run,
        faults,
        TWIN if order.control_run else None,
        order.trust_code,
        order.force,
        display,
        {to: Path(written) for to, written in order.inputs.items()},
    )
    return _ended(launched, summaries)


def _ended(launched: Launched, summaries: Summaries) -> LaunchEnded:
    shortage = launched.refused or summaries.unwritten
    return LaunchEnded(str(launched.run_dir.absolute()), shortage)


def _folder_in(begun: Sequence[Path]) -> str:
    """Return the run folder, "" if there is none."""
    return str(begun[0].absolute()) if begun and begun[0].exists() else ""


def _as_told(error: BaseException) -> PrisamError:
    """Return what the caller is told: a bug of ours, too, must not be lost with its place."""
    if isinstance(error, PrisamError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return LaunchError("launcher", "was interrupted")
    if shortage := refusal_of(error):
        return shortage
    if isinstance(error, OSError):
        return refused(error)
    lines = "".join(traceback.format_exception(error)).splitlines()
    return LaunchError("launcher", f"{type(error).__name__}: {error}", lines)


def main(order: str, fd: str) -> None:
    """Do what the order, JSON, says."""
    work(json.loads(order), int(fd))
