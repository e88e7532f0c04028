"""Runs whose launcher is killed in the middle, and what `prisam resume` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from launching import (
    DEADLINE_S,
    alive,
    asked,
    launcher,
    peer_pids,
    prisam,
    round_done,
    wait_for,
)

ENDS_S = 60.0
"""The peers of a killed launcher end within a second; on a busy machine, within several."""


def kill_launcher_after(round_index: int, of: Sequence[str], run: Path, *arguments: object) -> None:
    """Launch a run, kill its launcher once these peers have done a round, and await the peers' end.

    Args:
        run: the folder of the run.
        arguments: of the launcher, without the run's folder.
    """
    with launcher(*arguments, "--run-dir", run, "--quiet") as process:
        try:
            wait_for(f"round {round_index + 1}", round_done(run, of, round_index))
            pids = [*peer_pids(run).values()]
        finally:
            process.kill()
        process.communicate(timeout=DEADLINE_S)
    wait_for("end of the peers", lambda: not alive(pids), ENDS_S)


def resume(run: Path) -> None:
    """Let a killed run go on to its end, which is that of a run in order."""
    code, out = prisam("resume", run, "--quiet")
    assert (code, out) == (0, ""), out


def is_the_same(run: Path, twin: Path) -> str:
    """Assert that two runs came to the same; return what `prisam verify` says of them."""
    code, out = asked("verify", run, twin)
    assert (code, out.split(":")[0]) == (0, "the same"), out
    return out
