"""What a run is to suffer: signals to its processes, a small disk, few descriptors. Pure data.

A fault is planned, and the launcher knows of it. A disturbance comes from outside: nothing in the
run knows of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import validate

LAUNCHER, ZYGOTE, HOLDER, EVERYTHING = "launcher", "zygote", "holder", "everything"
"""Targets that are no peers: three processes, and all processes of the run at once."""

KILLING = ("SIGKILL", "SIGSEGV", "SIGABRT")
FATAL = (*KILLING, "SIGTERM")
STOP, CONTINUE = "SIGSTOP", "SIGCONT"

SignalName = Literal["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIGSTOP", "SIGCONT"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Disturbance(_Table):
    """A signal to a process of the run.

    Attributes:
        target: a peer, or one of the names above.
        after_round: sent once the target has ended this round (where it is no peer: once a peer
            has); None = the clock starts with the launcher.
        after_s: seconds from then.
        hold_s: of SIGSTOP: seconds until SIGCONT; None = it is never continued.
    """

    target: str
    signal: SignalName
    after_round: int | None = Field(None, ge=0)
    after_s: float = Field(ge=0)
    hold_s: float | None = Field(None, gt=0)

    def __str__(self) -> str:
        when = f"{self.after_s:g} s after "
        when += "the start" if self.after_round is None else f"round {self.after_round}"
        held = (
            "" if self.signal != STOP else f" for {self.hold_s:g} s" if self.hold_s else " for ever"
        )
        return f"{self.signal}{held} to {self.target} {when}"


class DrawnRun(_Table):
    """What one run is to suffer.

    Attributes:
        seed, number: what it was drawn from; `number` is the run's own seed, too.
        disk_kib: size of the disk that holds the run folder; None = there is space.
        open_files: the launcher's RLIMIT_NOFILE; None = as it is.
        force: it starts even where the preflight says that it does not fit.
    """

    seed: int = Field(ge=0)
    number: int = Field(ge=0)
    disturbances: tuple[Disturbance, ...] = ()
    disk_kib: int | None = Field(None, gt=0)
    open_files: int | None = Field(None, gt=0)
    force: bool = False

    def __str__(self) -> str:
        parts = [str(each) for each in self.disturbances]
        parts += [f"a disk of {self.disk_kib} KiB"] if self.disk_kib else []
        parts += [f"{self.open_files} descriptors"] if self.open_files else []
        forced = " with --force" if self.force else ""
        return (", ".join(parts) or "undisturbed") + forced


def read_drawn_run(path: Path) -> DrawnRun:
    """Return the run in a file that a soak kept.

    Raises:
        ConfigError: it is no such file.
    """
    right = "the disturbances.json of a run that `prisam soak --unplanned` kept"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), "", "no JSON", f"{right}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), "", type(data).__name__, right)
    return validate(data, DrawnRun, str(path))
