"""The caller's signals are held until there is a safe place, and then are the caller's."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from prisam_p2p.python_api.callers_signals import callers_signals


@contextmanager
def handled_by(handler, number=signal.SIGINT):
    was = signal.signal(number, handler)
    try:
        yield
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, was)


def test_an_interrupt_is_raised_at_a_safe_place_only():
    reached = []

    def launch():
        with callers_signals() as signals:
            signals.act()
            signal.raise_signal(signal.SIGINT)
            reached.append("the next line")
            signals.act()
            reached.append("never")

    with handled_by(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        launch()
    assert reached == ["the next line"]


def test_a_handler_of_the_caller_s_that_raises_nothing_lets_the_run_go_on():
    had = []
    with handled_by(lambda number, _: had.append(number)), callers_signals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert had == []
        signals.act()
        assert had == [signal.SIGINT]


def test_what_comes_after_the_last_look_is_the_caller_s_at_the_end():
    with (
        handled_by(signal.default_int_handler),
        pytest.raises(KeyboardInterrupt),
        callers_signals(),
    ):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_while_the_run_is_being_stopped_is_told_and_keeps_the_first_exception():
    def launch():
        with callers_signals() as signals:
            came_again = signals.came_again()
            assert not came_again()
            signal.raise_signal(signal.SIGINT)
            assert came_again()
            raise ZeroDivisionError

    with handled_by(signal.default_int_handler), pytest.raises(ZeroDivisionError):
        launch()


def test_what_the_caller_ignores_stays_ignored():
    with handled_by(signal.SIG_IGN), callers_signals() as signals:
        signal.raise_signal(signal.SIGINT)
        signals.act()
        assert signals.left() == []


def test_in_another_thread_no_handler_is_touched():
    seen = []

    def work():
        with callers_signals() as signals:
            seen.append((signal.getsignal(signal.SIGINT), signals.left()))

    with handled_by(signal.default_int_handler):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [(signal.default_int_handler, [])]


def test_sigterm_ends_the_caller_after_the_run():
    program = """
import signal
from prisam_p2p.python_api.callers_signals import callers_signals
with callers_signals() as signals:
    try:
        signal.raise_signal(signal.SIGTERM)
        signals.act()
    finally:
        print("the run is ended", flush=True)
print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"the run is ended\n"), done.stderr
