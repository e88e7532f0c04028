"""Start real runs as a user would: the launcher as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from click.testing import CliRunner
from warm_process import WarmProcess

from prisam_p2p.cli import main

ROOT = Path(__file__).parents[2]
DEADLINE_S = 240.0

SMALL = """
[peers]
count = 6
profiles = ["fast"]
[links]
generator = "full"
[run]
rounds = 3
groups = 2
images_per_peer = 24
"""

FAST = """
description = "a device that is not slowed down"
source = "none: for tests"
"""
PACED = """
description = "a device that sleeps through most of a round"
source = "none: for tests"
speed = 0.015
"""


def patient(text: str) -> str:
    """Return a topology whose peers leave nobody out who is only slow.

    For runs whose results are compared: on a busy host a process may not run for seconds.
    """
    waits = "heartbeat_s = 10\nround_deadline_k = 0\nreconnect_timeout_s = 30\n"
    assert text.count("[run]\n") == 1
    return text.replace("[run]\n", f"[run]\n{waits}")


def paced(text: str) -> str:
    """Return a topology whose rounds take some tenths of a second, and little of the processors.

    For runs that must last until a test has done something to them, and has waited for what
    follows. Their results are those of the topology as it was.
    """
    assert '"fast"' in text
    return text.replace('"fast"', '"paced"')


def topology(folder: Path, text: str = SMALL, **profiles: str) -> Path:
    """Write a topology and the device profiles it names beside it."""
    for name, profile in {"fast": FAST, "paced": PACED, **profiles}.items():
        (folder / f"{name}.toml").write_text(profile)
        text = text.replace(f'"{name}"', f'"./{name}.toml"')
    path = folder / "net.toml"
    path.write_text(text)
    return path


def launcher(
    *arguments: object, env: dict[str, str] | None = None, fresh: bool = False
) -> subprocess.Popen[str] | WarmProcess:
    """Start the launcher and do not wait.

    Args:
        env: more of its environment, which a fresh interpreter then begins with.
        fresh: it is an interpreter of its own, and no fork of one that has imported everything.
    """
    if not (env or fresh):
        return WarmProcess("launch", "launch.py", [*map(str, arguments)])
    return subprocess.Popen(
        [sys.executable, str(ROOT / "launch.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )


def launch(
    *arguments: object,
    env: dict[str, str] | None = None,
    fresh: bool = False,
    deadline_s: float = DEADLINE_S,
) -> tuple[int, str, str]:
    """Run the launcher to its end; return exit code, stdout and stderr. See `launcher`."""
    with launcher(*arguments, env=env, fresh=fresh) as process:
        try:
            out, err = process.communicate(timeout=deadline_s)
        finally:
            process.kill()  # of one that is not over by now, the peers end too
    return process.returncode, out, err


def asked(*arguments: object) -> tuple[int, str]:
    """Run a `prisam` command that starts no peer, here; return exit code and what it printed."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    return result.exit_code, result.output


def refused(*arguments: object) -> str:
    """Return the one line by which a `prisam` command refuses."""
    code, out = asked(*arguments)
    assert (code, out.count("\n")) == (2, 1), out
    return out


def prisam(*arguments: object) -> tuple[int, str]:
    """Run the `prisam` command in a process; return exit code and what it printed."""
    with WarmProcess("main", "prisam", [*map(str, arguments)]) as process:
        try:
            out, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    return process.wait(), out + err


def journal(run: Path, name: str) -> list[dict]:
    """Return the whole lines of a journal, none where it is not there yet."""
    path = run / "journal" / f"{name}.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def peer_pids(run: Path) -> dict[str, int]:
    """Return peer -> pid, of those that the launcher started."""
    return {x["peer"]: x["pid"] for x in journal(run, "launcher") if x["record"] == "peer_started"}


def wait_for(what: str, holds: Callable[[], bool], deadline_s: float = DEADLINE_S) -> float:
    """Wait until `holds`; return how long it took in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < deadline_s, f"no {what} within {deadline_s} s"
        select_nothing()
    return time.monotonic() - began


def select_nothing() -> None:
    """Let others run for a moment; what is waited for has no descriptor to select on."""
    signal.sigtimedwait([], 0.02)


def round_done(run: Path, peers: Sequence[str], t: int) -> Callable[[], bool]:
    """Return what tells whether all of `peers` have finished round `t`."""

    def done() -> bool:
        return all(
            any(x["record"] == "traffic" and x["round"] >= t for x in journal(run, p))
            for p in peers
        )

    return done


def alive(pids: Sequence[int]) -> list[int]:
    """Return which of `pids` are running (a zombie is not)."""
    return [p for p in pids if psutil.pid_exists(p) and _status(p) != psutil.STATUS_ZOMBIE]


def _status(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


def status_of(pid: int) -> dict[str, str]:
    """Return what /proc tells of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def has_signal(pid: int, of: str, number: signal.Signals) -> bool:
    """Tell whether a set of signals of a process (SigCgt: handled, ShdPnd: pending) has one."""
    return bool(int(status_of(pid)[of], 16) >> (number - 1) & 1)


def family(launcher_pid: int) -> list[int]:
    """Return the pids of a launcher and everything below it."""
    root = psutil.Process(launcher_pid)
    return [launcher_pid, *(child.pid for child in root.children(recursive=True))]
