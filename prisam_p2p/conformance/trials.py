"""The runs of a conformance check: each is a launcher of its own, as a user would start it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from prisam_p2p.measure.journal import read_journal
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

DEADLINE_S = 300.0
"""A run of the small network takes seconds; one that takes this long hangs."""

INTERRUPT_AT_ROUND = 1

_LOOK_EVERY_S = 0.05
_SAID_LINES = 3

TOPOLOGY = """description = "the network of prisam check"
[peers]
count = 4
profiles = ["{profile}"]
[links]
generator = "full"
[run]
rounds = 4
groups = 2
fan_in = 2
images_per_peer = 24
network = "loopback"
round_timeout_s = 30
pull_timeout_s = 10
reconnect_timeout_s = 1
"""
PROFILE = 'description = "a device that is not slowed down"\nsource = "none: for a check"\n'
FAULTS = """description = "one peer is gone for good, another comes back from its saved state"
[[fault]]
id = "gone"
kind = "kill"
peers = ["p03"]
at = { round = 1, phase = "pull" }
[[fault]]
id = "back"
kind = "restart"
peers = ["p01"]
at = { round = 2, phase = "train" }
"""


@dataclass(frozen=True)
class Ended:
    """How a command of `prisam` ended: its exit code, and the last that it said."""

    code: int
    said: str


class Trials:
    """Runs one algorithm on the small network, in folders below `folder`, which is made.

    Args:
        reference: names the algorithm, as `--algorithm` does.
        more: further options of every launch.
    """

    def __init__(self, folder: Path, reference: str, more: tuple[str, ...] = ()) -> None:
        self.reference = reference
        folder.mkdir(parents=True)
        self._folder, self._options = folder, ("--algorithm", reference, *more)
        (folder / "device.toml").write_text(PROFILE)
        (folder / "net.toml").write_text(TOPOLOGY.format(profile="./device.toml"))
        (folder / "faults.toml").write_text(FAULTS)

    def path(self, name: str) -> Path:
        """Return the run folder of this name."""
        return self._folder / name

    def launch(self, name: str) -> Ended:
        """Run it to its end."""
        return _ended(self._start(name))

    def launch_with_faults(self, name: str) -> Ended:
        """Run it with a peer that is killed and one that is restarted."""
        return _ended(self._start(name, "--faults", str(self._folder / "faults.toml")))

    def interrupt_and_resume(self, name: str) -> Ended:
        """Run it, interrupt it after some rounds, and resume it."""
        process = self._start(name)
        deadline = time.monotonic() + DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            if self._rounds(name) > INTERRUPT_AT_ROUND:
                process.send_signal(SIGINT)
                break
            time.sleep(_LOOK_EVERY_S)
        interrupted = _ended(process)
        if interrupted.code != 130:
            return interrupted
        resumed = ("resume", str(self.path(name)), "--quiet", "--trust-code")
        return _ended(_prisam(*resumed))

    def _start(self, name: str, *more: str) -> subprocess.Popen[str]:
        where = ("--run-dir", str(self.path(name)), "--quiet")
        net = str(self._folder / "net.toml")
        return _prisam("launch", net, *self._options, *where, *more)

    def _rounds(self, name: str) -> int:
        """Return the rounds that every peer has finished."""
        paths = [self.path(name) / "journal" / f"p{i:02}.jsonl" for i in range(4)]
        if not all(path.exists() for path in paths):
            return 0
        lines = (read_journal(path) for path in paths)
        return min(len([x for x in each if x["record"] == "traffic"]) for each in lines)


def _prisam(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CHILD_PYTHON, "-m", "prisam_p2p", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=child_environment(),
    )


def _ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a command; one that takes too long is killed, and its peers with it."""
    with process:
        try:
            said, _ = process.communicate(timeout=DEADLINE_S)
        except BaseException as error:
            process.kill()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Ended(-9, f"it was not over after {DEADLINE_S:g} s")
    return Ended(process.returncode, "\n".join(said.strip().splitlines()[-_SAID_LINES:]))
