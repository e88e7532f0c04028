"""How the runs of a soak are launched: as a user would, with the same topology and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.options import option_name
from prisam_p2p.shipped import child_environment
from prisam_p2p.soak.unplanned.account import PRISAM, Asked, ask
from prisam_p2p.soak.unplanned.disturbances import DrawnRun
from prisam_p2p.soak.unplanned.driver import Disturbed, disturb

OUTPUT, TEMPORARY = "launcher", "tmp"
"""In the folder of a run: begins the names of the files that take its output (.out and .err); the
folder for its temporary files."""


@dataclass(frozen=True)
class Launches:
    """What all runs of a soak are launched with.

    Attributes:
        overrides: settings of every run; each has a seed of its own.
        trust_code: run the code that the topology names, too.
    """

    topology: Path
    overrides: Mapping[str, object]
    trust_code: bool = False

    def disturb(self, drawn: DrawnRun, run_dir: Path, at: Path, limit_s: float) -> Disturbed:
        """Launch a run and disturb it (see `disturb`).

        Args:
            at: the folder of the run, which exists.
        """
        temporary = at / TEMPORARY
        temporary.mkdir()
        settings = {**self.overrides, "seed": drawn.number, "baseline": "none"}
        options = [word for name, value in settings.items() for word in _option(name, value)]
        options += [*self._trust, *(["--force"] if drawn.force else [])]
        command = [*PRISAM, "launch", str(self.topology), "--run-dir", str(run_dir), *options]
        environment = {**child_environment(), "TMPDIR": str(temporary.resolve())}
        return disturb(drawn, command, environment, run_dir, at / OUTPUT, limit_s)

    def resume(self, run_dir: Path, limit_s: float) -> Asked:
        """Resume a run to its end; what it printed is its summary, as JSON."""
        return ask(("resume", run_dir, "--quiet", "--format", "json", *self._trust), limit_s)

    @property
    def _trust(self) -> tuple[str, ...]:
        return ("--trust-code",) if self.trust_code else ()


def _option(name: str, value: object) -> list[str]:
    flag = option_name(name)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    return [flag, str(value)]
