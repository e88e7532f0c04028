import multiprocessing
import os
import signal
import socket
import threading

import pytest

from prisam_p2p.control.codec import decode_report, encode
from prisam_p2p.control.line import ControlLine, LauncherGone, Stopped
from prisam_p2p.control.messages import (
    Exit,
    ProcessUp,
    Ready,
    RemoveRule,
    Roster,
    RosterEntry,
    RuleRemoved,
    StartRounds,
    StateLost,
)
from prisam_p2p.system.inbox import Inbox

DEADLINE_S = 60
FORK = multiprocessing.get_context("fork")


class Launcher:
    """The other end of a control line."""

    def __init__(self, line, exits=None):
        self.line, self.reports, self.exits = line, line.makefile("rb"), exits

    def order(self, *orders):
        self.line.sendall(b"".join(map(encode, orders)))

    def report(self):
        return decode_report(self.reports.readline())


@pytest.fixture
def ends(monkeypatch):
    """A launcher, a control and a queue with an entry for each order that came."""
    exits, came = Inbox(), Inbox()
    monkeypatch.setattr(os, "_exit", exits.put)  # this process outlives the launcher
    ours, its = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    control = ControlLine(its, on_order=lambda: came.put("came"))
    with ours, its:
        yield Launcher(ours, exits), control, came
        ours.shutdown(socket.SHUT_RDWR)
        assert exits.get(DEADLINE_S) == 1  # the thread that reads is over


def test_orders_are_taken_one_by_one(ends):
    launcher, control, _ = ends
    roster = Roster(1, (RosterEntry("a", "127.0.0.1", 5),))
    launcher.order(roster, StartRounds())
    assert control.expect(Roster, timeout_s=DEADLINE_S) == roster
    assert control.expect(StartRounds, timeout_s=DEADLINE_S) == StartRounds()


def test_an_order_that_came_is_told_and_waits(ends):
    launcher, control, came = ends
    assert not control.has_order()
    launcher.order(Exit())
    assert came.get(DEADLINE_S)
    assert control.has_order()
    control.expect(Exit, timeout_s=0)
    assert not control.has_order()
    assert len(came) == 0


def test_an_order_that_comes_in_pieces_is_one(ends):
    launcher, control, came = ends
    lines = encode(StartRounds()) + encode(Exit())
    launcher.line.sendall(lines[:9])
    launcher.line.sendall(lines[9:-3])
    assert control.expect(StartRounds, timeout_s=DEADLINE_S) == StartRounds()
    assert came.get(DEADLINE_S)
    assert not control.has_order()
    launcher.line.sendall(lines[-3:])
    assert control.expect(Exit, timeout_s=DEADLINE_S) == Exit()


def test_reports_are_lines(ends):
    launcher, control, _ = ends
    control.send(ProcessUp(7))
    control.send(StateLost(3, "two\nlines"))
    assert launcher.report() == ProcessUp(7)
    assert launcher.report() == StateLost(3, "two\nlines")


def test_an_order_out_of_turn_is_refused(ends):
    launcher, control, _ = ends
    launcher.order(Exit())
    with pytest.raises(LauncherGone, match="'exit' where 'start-rounds' was due"):
        control.expect(StartRounds, timeout_s=DEADLINE_S)


def test_a_launcher_that_does_not_answer_is_given_up(ends):
    _, control, _ = ends
    with pytest.raises(LauncherGone, match=r"no order 'start-rounds' within 0\.01 s"):
        control.expect(StartRounds, timeout_s=0.01)


def test_interrupt_ends_a_wait(ends):
    _, control, _ = ends
    outcome = Inbox()

    def wait():
        try:
            outcome.put(control.expect(StartRounds, timeout_s=DEADLINE_S))
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
            control.expect(StartRounds, timeout_s=DEADLINE_S)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handled_order_does_not_wait_for_expect(ends):
    launcher, control, came = ends
    control.handle(RemoveRule, lambda order: control.send(RuleRemoved(order.rule_id, 2)))
    launcher.order(RemoveRule("f#0"))
    assert launcher.report() == RuleRemoved("f#0", 2)
    assert (control.has_order(), len(came)) == (False, 0)


def test_a_wrong_line_of_the_launcher_ends_the_process_and_is_named_in_its_log(ends, capfd):
    launcher, control, _ = ends
    launcher.line.sendall(b'{"v":1,"order":"dance"}\n' + encode(StartRounds()))
    assert launcher.exits.get(DEADLINE_S) == 1
    launcher.exits.put(1)
    assert not control.has_order()
    assert "order 'dance': expected one of exit, fence, leave-barrier" in capfd.readouterr().err


def test_the_process_ends_with_its_launcher():
    ours, its = socket.socketpair()

    def peer():
        ours.close()
        control = ControlLine(its, on_order=lambda: None)
        control.send(Ready())
        control.expect(StartRounds, timeout_s=DEADLINE_S)
        control.expect(Exit, timeout_s=DEADLINE_S)  # the launcher is gone by now

    child = FORK.Process(target=peer)
    child.start()
    its.close()
    ours.settimeout(DEADLINE_S)
    launcher = Launcher(ours)
    assert launcher.report() == Ready()
    launcher.order(StartRounds())
    ours.shutdown(socket.SHUT_RDWR)
    child.join(DEADLINE_S)
    try:
        assert child.exitcode == 1
    finally:
        child.kill()
        ours.close()
