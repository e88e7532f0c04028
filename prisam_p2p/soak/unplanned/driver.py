"""Launches a run as a user would, as a process of its own, and disturbs it from outside."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from prisam_p2p.soak.unplanned.disturbances import (
    CONTINUE,
    EVERYTHING,
    LAUNCHER,
    STOP,
    Disturbance,
    DrawnRun,
)
from prisam_p2p.soak.unplanned.run_view import RunView

_LOOK_EVERY_S = 0.02
_DYING_S = 10.0
"""Peers of a launcher that was killed need a moment to end."""


@dataclass
class Delivery:
    """A disturbance, and what came of it.

    Attributes:
        too_late: why it was not delivered; "" = it was.
        at_s: when it was delivered, since the launcher's start.
        ready: whether all peers were known to be connected then.
        ended: whether the run was known to be over then.
        done: whether the target was known to have its final model then.
        rounds: that the target was known to have ended then; 0 where it is no peer.
        held_s: of SIGSTOP: until SIGCONT; None = it was not continued before the run's end.
    """

    disturbance: Disturbance
    too_late: str = "the run was over"
    at_s: float = 0.0
    ready: bool = False
    ended: bool = False
    done: bool = False
    rounds: int = 0
    held_s: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether a living process got the signal."""
        return not self.too_late


@dataclass(frozen=True)
class Disturbed:
    """A run that was launched and disturbed.

    Attributes:
        exit_code: of the launcher; minus the signal that ended it.
        hung: in words, what it looked like when its time was up; "" = it ended in time.
        left: in words, the processes that were there after its end, and were then killed.
    """

    deliveries: list[Delivery]
    exit_code: int
    duration_s: float
    hung: str = ""
    left: list[str] = field(default_factory=list)


def disturb(
    drawn: DrawnRun,
    command: Sequence[str],
    environment: Mapping[str, str],
    run_dir: Path,
    output: Path,
    limit_s: float,
) -> Disturbed:
    """Launch a run and disturb it; return when none of its processes is left.

    Args:
        command: what launches the run, with `run_dir` as its run folder.
        output: beginning of the paths of the files that take what it prints: .out and .err.
        limit_s: seconds until it counts as hung and is killed, besides the time that the launcher
            is kept stopped.
    """
    with output.with_suffix(".out").open("wb") as out, output.with_suffix(".err").open("wb") as err:
        child = subprocess.Popen(
            _limited(command, drawn.open_files),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
        driver = _Driver(drawn, child, run_dir)
        try:
            return driver.drive(limit_s)
        finally:
            driver.close()


def _limited(command: Sequence[str], open_files: int | None) -> list[str]:
    """Return a command that runs `command` with a limit of open files, as a user's shell would."""
    if open_files is None:
        return list(command)
    return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(open_files), *command]


class _Driver:
    def __init__(self, drawn: DrawnRun, child: subprocess.Popen[bytes], run_dir: Path) -> None:
        self._began_s = time.monotonic()
        self._child, self._launcher = child, psutil.Process(child.pid)
        self._view = RunView(run_dir)
        self._deliveries = [Delivery(each) for each in drawn.disturbances]
        self._waiting = list(self._deliveries)
        self._since_s: dict[int, float] = {}
        self._held: list[tuple[Delivery, list[psutil.Process]]] = []
        self._seen: set[psutil.Process] = {self._launcher}

    def drive(self, limit_s: float) -> Disturbed:
        """Disturb until the launcher has ended, or its time is up."""
        hung = ""
        while self._child.poll() is None:
            self._view.look()
            self._deliver_due()
            self._continue_due()
            if self._now_s() > limit_s + self._launcher_stopped_s():
                hung = "; ".join(map(_told, self._family()))
                break
            time.sleep(_LOOK_EVERY_S)
        duration_s = round(self._now_s(), 2)
        if hung:
            return Disturbed(self._deliveries, 0, duration_s, hung)
        left = [_told(process) for process in self._left()]
        return Disturbed(self._deliveries, self._child.returncode, duration_s, "", left)

    def close(self) -> None:
        """Kill what is left of the run."""
        family = self._family()
        for process in (self._launcher, *family):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._child.wait()
        psutil.wait_procs([process for process in self._seen if process != self._launcher], 1.0)

    # -- signals -------------------------------------------------------------------------

    def _deliver_due(self) -> None:
        for i, each in enumerate(self._deliveries):
            if each not in self._waiting or not self._is_due(i, each.disturbance):
                continue
            processes = self._processes_of(each.disturbance.target)
            if processes:
                self._waiting.remove(each)
                self._deliver(each, processes)

    def _is_due(self, number: int, disturbance: Disturbance) -> bool:
        """Tell whether the time of a disturbance has come."""
        if number not in self._since_s:
            if disturbance.after_round is None:
                self._since_s[number] = self._began_s
            elif self._rounds_of(disturbance.target) > disturbance.after_round:
                self._since_s[number] = time.monotonic()
            else:
                return False
        return time.monotonic() >= self._since_s[number] + disturbance.after_s

    def _rounds_of(self, target: str) -> int:
        rounds = self._view.rounds
        if target in self._view.started:
            return rounds.get(target, 0)
        return max(rounds.values(), default=0)

    def _processes_of(self, target: str) -> list[psutil.Process]:
        if target == EVERYTHING:
            return self._family()
        process = self._view.process_of(target, self._launcher)
        return [] if process is None else [process]

    def _deliver(self, delivery: Delivery, processes: list[psutil.Process]) -> None:
        disturbance = delivery.disturbance
        self._seen.update(self._family())
        self._view.look()
        number = signal.Signals[disturbance.signal]
        reached = [process for process in processes if _send(process, number)]
        delivery.at_s = round(self._now_s(), 3)
        delivery.too_late = "" if reached else "the process had ended"
        delivery.ready, delivery.ended = self._view.ready, self._view.ended
        delivery.done = disturbance.target in self._view.deployed
        delivery.rounds = self._view.rounds.get(disturbance.target, 0)
        if reached and disturbance.signal == STOP:
            self._held.append((delivery, reached))

    def _continue_due(self) -> None:
        for delivery, processes in list(self._held):
            hold_s, held_s = delivery.disturbance.hold_s, self._now_s() - delivery.at_s
            if hold_s is not None and held_s >= hold_s:
                self._held.remove((delivery, processes))
                others = {process for _, held in self._held for process in held}
                for process in set(processes) - others:
                    _send(process, signal.Signals[CONTINUE])
                delivery.held_s = round(held_s, 3)

    def _launcher_stopped_s(self) -> float:
        """Return for how long the launcher is, or was, to be stopped."""
        stops = [each.disturbance for each in self._deliveries if each.delivered]
        return sum(each.hold_s or 0.0 for each in stops if each.target in (LAUNCHER, EVERYTHING))

    # -- processes -----------------------------------------------------------------------

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _family(self) -> list[psutil.Process]:
        """Return the run's processes that are alive."""
        with suppress(psutil.NoSuchProcess):
            self._seen.update(self._launcher.children(recursive=True))
        self._seen.update(self._view.processes.values())
        return [process for process in self._seen if _lives(process)]

    def _left(self) -> list[psutil.Process]:
        """Return the processes that outlive their launcher by more than a moment."""
        self._view.look()
        deadline = time.monotonic() + _DYING_S
        while (left := self._family()) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        return left


def _send(process: psutil.Process, number: int) -> bool:
    """Signal a process; return whether it was there and alive."""
    if not _lives(process):
        return False
    try:
        process.send_signal(number)  # psutil refuses where the pid is another process' by now
    except psutil.NoSuchProcess:
        return False
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _told(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.name()}, {process.status()}, child of {process.ppid()})"
    except psutil.NoSuchProcess:
        return f"{process.pid} (ended)"
