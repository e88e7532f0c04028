import json
import multiprocessing
import os
import signal
import socket
import threading

import pytest

from prisam_p2p.control.line import Control, LauncherGone, Stopped
from prisam_p2p.system.inbox import Inbox

DEADLINE_S = 30
FORK = multiprocessing.get_context("fork")


class Launcher:
    """The other end of a control line."""

    def __init__(self, line):
        self.line, self.reports = line, line.makefile("rb")

    def order(self, *orders):
        self.line.sendall(b"".join(json.dumps(order).encode() + b"\n" for order in orders))

    def report(self):
        return json.loads(self.reports.readline())


@pytest.fixture
def ends(monkeypatch):
    """A launcher, a control and a queue with an entry for each order that came."""
    exits, came = Inbox(), Inbox()
    monkeypatch.setattr(os, "_exit", exits.put)  # this process outlives the launcher
    ours, its = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    control = Control(its, on_order=lambda: came.put("came"))
    with ours, its:
        yield Launcher(ours), control, came
        ours.shutdown(socket.SHUT_RDWR)
        assert exits.get(DEADLINE_S) == 1


def test_orders_are_taken_one_by_one(ends):
    launcher, control, _ = ends
    launcher.order({"order": "roster", "roster": {"a": ["127.0.0.1", 5]}}, {"order": "go"})
    assert control.expect("roster", timeout_s=DEADLINE_S)["roster"] == {"a": ["127.0.0.1", 5]}
    assert control.expect("go", timeout_s=DEADLINE_S) == {"order": "go"}


def test_an_order_that_came_is_told_and_waits(ends):
    launcher, control, came = ends
    assert not control.has_order()
    launcher.order({"order": "exit"})
    assert came.get(DEADLINE_S)
    assert control.has_order()
    control.expect("exit", timeout_s=0)
    assert not control.has_order()
    assert len(came) == 0


def test_an_order_that_comes_in_pieces_is_one(ends):
    launcher, control, came = ends
    launcher.line.sendall(b'{"order":')
    launcher.line.sendall(b'"go"}\n{"order":"ex')
    assert control.expect("go", timeout_s=DEADLINE_S) == {"order": "go"}
    assert came.get(DEADLINE_S)
    assert not control.has_order()
    launcher.line.sendall(b'it"}\n')
    assert control.expect("exit", timeout_s=DEADLINE_S) == {"order": "exit"}


def test_reports_are_lines(ends):
    launcher, control, _ = ends
    control.send({"event": "up", "port": 7})
    control.send({"event": "done", "text": "two\nlines"})
    assert launcher.report() == {"event": "up", "port": 7}
    assert launcher.report() == {"event": "done", "text": "two\nlines"}


def test_an_order_out_of_turn_is_refused(ends):
    launcher, control, _ = ends
    launcher.order({"order": "exit"})
    with pytest.raises(LauncherGone, match="'exit' where 'go' was due"):
        control.expect("go", timeout_s=DEADLINE_S)


def test_a_launcher_that_does_not_answer_is_given_up(ends):
    _, control, _ = ends
    with pytest.raises(LauncherGone, match=r"no order 'go' within 0\.01 s"):
        control.expect("go", timeout_s=0.01)


def test_interrupt_ends_a_wait(ends):
    _, control, _ = ends
    outcome = Inbox()

    def wait():
        try:
            outcome.put(control.expect("go", timeout_s=DEADLINE_S))
        except Stopped as error:
            outcome.put(error)

    threading.Thread(target=wait, daemon=True).start()
    control.interrupt()
    assert isinstance(outcome.get(DEADLINE_S), Stopped)


def test_interrupt_may_come_from_a_signal_handler(ends, monkeypatch):
    _, control, _ = ends
    before = signal.signal(signal.SIGUSR1, lambda *_: control.interrupt())
    try:
        signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(Stopped):
            control.expect("go", timeout_s=DEADLINE_S)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_stop_from_the_launcher_is_a_stop(ends):
    launcher, control, _ = ends
    launcher.order({"order": "stop"})
    with pytest.raises(Stopped):
        control.expect("go", timeout_s=DEADLINE_S)


def test_the_process_ends_with_its_launcher():
    ours, its = socket.socketpair()

    def peer():
        ours.close()
        control = Control(its, on_order=lambda: None)
        control.send({"event": "up"})
        control.expect("go", timeout_s=DEADLINE_S)
        control.expect("exit", timeout_s=DEADLINE_S)  # the launcher is gone by now

    child = FORK.Process(target=peer)
    child.start()
    its.close()
    ours.settimeout(DEADLINE_S)
    launcher = Launcher(ours)
    assert launcher.report() == {"event": "up"}
    launcher.order({"order": "go"})
    ours.shutdown(socket.SHUT_RDWR)
    child.join(DEADLINE_S)
    try:
        assert child.exitcode == 1
    finally:
        child.kill()
        ours.close()
