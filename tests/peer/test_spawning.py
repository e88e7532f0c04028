"""Processes that are spawned, as the launcher sees them."""

import contextlib
import os
import signal
import time

import pytest
from launching import wait_for
from spec_of_a import spec_of_a

from prisam_p2p.control.spec import Incarnation
from prisam_p2p.processes.engine import ProcessExit
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.processes.spawn import SpawnEngine

AT_ONCE_S = 5.0
"""Far less than waiting for a process that is stopped."""


@pytest.mark.network
def test_a_process_that_does_not_take_its_spec_in_holds_nobody_up(tmp_path):
    """The spec is larger than what a socket holds, and the interpreter is stopped."""
    spec = spec_of_a(tmp_path, train=range(1_000_000))
    with open_board(1) as board, contextlib.closing(SpawnEngine(board)) as spawning:
        started = spawning.start(spec, Incarnation())
        os.kill(started.pid, signal.SIGSTOP)
        with started.line.line:
            began_s = time.monotonic()
            started.line.flush()
            assert time.monotonic() - began_s < AT_ONCE_S
            wait_for("sample that says so", lambda: is_stopped(spawning), 60.0)
            assert spawning.trouble() is None
            spawning.signal(started.number, signal.SIGKILL)
            os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
            assert spawning.exits() == [ProcessExit(started.number, -9)]


def is_stopped(engine):
    samples = engine.samples() or []
    return [sample.state.letter for sample in samples if sample.state] == ["T"]
