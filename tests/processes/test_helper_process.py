"""Processes that a run needs besides its peers: named while they stand still, killed in the end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from prisam_p2p.errors import LaunchError
from prisam_p2p.netns.interface import Helper
from prisam_p2p.processes import helper_process
from prisam_p2p.processes.helper_process import HelperProcess, NetworkWatch

DEADLINE_S, SOON_S = 30.0, 1e-6


@dataclass
class OnlyHelpers:
    """What a watch asks of a network: its helpers, which are real processes here."""

    of_it: list[Helper] = field(default_factory=list)

    def helpers(self) -> list[Helper]:
        return self.of_it


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def stop(process):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


def test_one_that_owes_an_answer_for_too_long_is_named_and_killed(child):
    watched = HelperProcess("delay process", child.pid, "the network", 5.0)
    for now_s in (0.0, 1.0):
        watched.look(now_s, True, "T")
    assert watched.trouble() is None
    for now_s in (2.0, 3.0, 4.0):
        watched.look(now_s, True, "T")
    assert (watched.trouble().name, watched.trouble().reason) == ("delay process", "stopped")
    right = "delay process: stopped for 5 s: ended, and with it the network"
    with pytest.raises(LaunchError, match=right):
        watched.look(5.0, True, "T")
    assert child.wait(DEADLINE_S) == -signal.SIGKILL


def test_a_stopped_process_is_no_trouble_while_nothing_is_asked_of_it(child, monkeypatch):
    monkeypatch.setattr(helper_process, "_LOOK_EVERY_S", 0.0)
    stop(child)
    watch = NetworkWatch(OnlyHelpers([Helper("holder", child.pid)]), SOON_S)
    assert [watch.look() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("why", [{"is_awaited": True}, {"carries_packets": True}])
def test_a_stopped_process_that_is_awaited_or_carries_packets_is_killed(child, monkeypatch, why):
    monkeypatch.setattr(helper_process, "_LOOK_EVERY_S", 0.0)
    stop(child)
    watch = NetworkWatch(OnlyHelpers([Helper("it", child.pid, **why)]), SOON_S)
    assert watch.look() is None
    with pytest.raises(LaunchError, match="it: stopped for 0 s: ended, and with it the network"):
        watch.look()
    assert child.wait(DEADLINE_S) == -signal.SIGKILL


def test_one_that_waits_for_another_is_not_blamed(child, monkeypatch):
    monkeypatch.setattr(helper_process, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(helper_process, "NOTICE_S", 0.0)
    stop(child)
    both = [Helper("first", child.pid, carries_packets=True), Helper("second", os.getpid(), True)]
    watch = NetworkWatch(OnlyHelpers(both), DEADLINE_S)
    assert watch.look().name == "first"


@pytest.mark.parametrize("before", [[], ["pid"], ["other"]])
def test_one_that_has_ended_fails_the_run_and_those_that_end_with_it_are_not_blamed(child, before):
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    others = [Helper("delays", child.pid if pid == "pid" else os.getpid()) for pid in before]
    watch = NetworkWatch(OnlyHelpers([*others, Helper("holder", child.pid)]), DEADLINE_S)
    with pytest.raises(LaunchError, match="holder: it ended before the run did"):
        watch.look()
