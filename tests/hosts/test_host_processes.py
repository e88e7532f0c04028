"""What a host reports of its processes, over an engine that is a dictionary and real sockets."""

from __future__ import annotations

import selectors
import signal
import socket
from contextlib import closing

import pytest
from spec_of_a import spec_of_a

from prisam_p2p.control.spec import Incarnation
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.host_processes import HostProcesses
from prisam_p2p.processes.engine import ProcessExit, StartedProcess
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.system.json_lines import LineSocket

NUMBER = 101
"""The launcher's; the engine's own is 1."""


class HandActs(LocalProcessActs):
    """Processes obey at once."""

    def __init__(self):
        super().__init__({1: 0}.get, self._obey)
        self.stopped = False

    def _obey(self, _number, signum):
        self.stopped = signum == signal.SIGSTOP

    def is_stopped(self, number):
        return self.stopped


class HandEngine:
    def __init__(self):
        self.acts, self.ended, self.peers_end = HandActs(), [], None

    def start(self, spec, incarnation, environment):
        ours, self.peers_end = socket.socketpair()
        return StartedProcess(1, 4711, LineSocket(ours))

    def exits(self):
        ended, self.ended = self.ended, []
        return ended

    def signal(self, number, signum):
        self.acts.signal(number, signum)

    def samples(self):
        return None

    def trouble(self):
        return None


class Host:
    """A host with one process."""

    def __init__(self, folder):
        self.engine, self.sent, self.now_s = HandEngine(), [], 0.0
        self.selector = selectors.DefaultSelector()
        self.processes = HostProcesses(self.engine, lambda spec: spec, self._send)
        texts = spec_of_a(folder).model_dump_json(), Incarnation().model_dump_json()
        self.look(0.0)
        self.processes.start(messages.StartProcess(NUMBER, *texts), self.selector)

    def _send(self, report, data):
        self.sent.append(report)

    def act(self, act, value=0.0):
        self.processes.act(messages.ActOn(NUMBER, act, value))

    def look(self, seconds=0.02):
        self.now_s += seconds
        self.processes.look(self.now_s, self.selector)

    def close(self):
        self.selector.close()
        self.engine.peers_end.close()


@pytest.fixture
def host(tmp_path):
    with closing(Host(tmp_path)) as made:
        yield made


def test_a_throttle_is_kept_up_and_told_of_when_it_is_ended(host):
    host.act("throttle", 0.25)
    assert host.processes.acts_go_on
    for _ in range(200):
        host.look()
    host.act("end-throttle")
    done = host.sent[-1]
    assert (done.number, done.act) == (NUMBER, "end-throttle")
    assert done.evidence["watched_s"] == pytest.approx(4.0)
    assert done.evidence["suspended_s"] == pytest.approx(3.0, abs=0.05)
    assert not host.engine.acts.stopped
    assert not host.processes.acts_go_on


def test_a_throttled_process_that_ends_is_told_of_before_its_end(host):
    host.act("throttle", 0.5)
    for _ in range(100):
        host.look()
    host.engine.peers_end.close()
    host.engine.ended.append(ProcessExit(1, -9))
    host.look()
    closed, done, exited = host.sent[-3:]
    assert closed == messages.LineClosed(NUMBER)
    assert done.evidence["watched_s"] == pytest.approx(2.0, abs=0.03)
    assert exited == messages.ProcessExited(NUMBER, -9)


def test_whether_a_process_is_stopped_is_told_once_a_change(host):
    for signum in (signal.SIGSTOP, signal.SIGCONT):
        host.processes.signal(messages.SignalProcess(NUMBER, signum))
        host.look()
        host.look()
    told = [each.stopped for each in host.sent if isinstance(each, messages.ProcessStopped)]
    assert told == [True, False]
