"""Processes that are spawned, as the launcher sees them."""

import contextlib
import os

import pytest
from spec_of_a import spec_of_a

from prisam_p2p.control.spec import Incarnation
from prisam_p2p.launch import engine
from prisam_p2p.launch.engine import ProcessExit, SpawnEngine


@pytest.mark.network
def test_a_process_that_does_not_take_its_spec_in_is_killed(tmp_path, monkeypatch):
    """An interpreter takes a second to start; the spec is larger than what a socket holds."""
    monkeypatch.setattr(engine, "TAKES_S", 0.01)
    spawning = SpawnEngine()
    with contextlib.closing(spawning):
        pid, line = spawning.start(spec_of_a(tmp_path, train=range(1_000_000)), Incarnation())
        with line:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # one that got its spec ends, too
            assert spawning.exits() == [ProcessExit(pid, -9)]
