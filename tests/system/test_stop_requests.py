"""Signals that ask a process to end: noted, raised, or taken at once; none is lost."""

import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

from prisam_p2p.system.stop_requests import held_back, raising_when_asked, stop_requests

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class InterruptedWhenFreed:
    """Raises KeyboardInterrupt where Python prints it and goes on."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def lose_an_interrupt():
    InterruptedWhenFreed()
    gc.collect()


def handlers():
    return [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_is_told_of_a_signal_and_of_a_second_one(number):
    before = handlers()
    with stop_requests() as stopping:
        assert (stopping(), stopping.at_once()) == (False, False)
        signal.raise_signal(number)
        assert (stopping(), stopping.at_once()) == (True, False)
        signal.raise_signal(number)
        assert (stopping(), stopping.at_once()) == (True, True)
    assert handlers() == before


def test_a_signal_that_nobody_asked_for_any_more_is_raised_at_the_end():
    before = handlers()

    def loop():
        with stop_requests() as stopping:
            assert not stopping()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert handlers() == before


def test_an_error_is_not_hidden_by_a_signal():
    def fail():
        with stop_requests():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_outside_of_loops_a_signal_is_raised_where_it_comes(number):
    before, reached = handlers(), []

    @raising_when_asked()
    def command():
        signal.raise_signal(number)
        reached.append("the next line")

    with pytest.raises(KeyboardInterrupt):
        command()
    assert (reached, handlers()) == ([], before)


def test_an_interrupt_that_is_lost_is_raised_at_the_end():
    reached = []

    @raising_when_asked()
    def command():
        lose_an_interrupt()
        reached.append("the next line")

    with pytest.raises(KeyboardInterrupt):
        command()
    assert reached == ["the next line"]
    with raising_when_asked():  # it is over with that
        pass


def test_an_interrupt_that_is_lost_stops_the_loop_that_begins_after_it():
    told = []

    @raising_when_asked()
    def command():
        lose_an_interrupt()
        with stop_requests() as stopping:
            told.append(stopping())

    with pytest.raises(KeyboardInterrupt):
        command()
    assert told == [True]


def test_in_another_thread_nothing_is_changed():
    before, seen = handlers(), []

    def work():
        with raising_when_asked():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


EARLY = """
import os
print("up", flush=True)
os.read(0, 1)  # the first line of a program, while its parent has held the signal back
from prisam_p2p.system.stop_requests import end_when_asked
end_when_asked()
print("not reached", flush=True)
"""


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_child_that_is_told_before_its_first_line_is_told(number, ignored):
    was = signal.signal(number, signal.SIG_IGN) if ignored else signal.getsignal(number)
    try:
        with held_back():
            child = subprocess.Popen(
                [sys.executable, "-c", EARLY],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
    finally:
        signal.signal(number, was)
    with child:
        assert child.stdout.readline() == b"up\n"
        child.send_signal(number)
        out, _ = child.communicate(b"x", timeout=60)
    assert (child.returncode, out) == (130, b"")
