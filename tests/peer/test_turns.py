import multiprocessing
import os
import tempfile
import threading

import pytest

from prisam_p2p.control.line import Stopped
from prisam_p2p.peer import turns
from prisam_p2p.peer.turns import Turns

DEADLINE_S = 60
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def fd():
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


@pytest.fixture
def start():
    """Starts child processes, and ends those that are left."""
    children = []

    def start(target, *args):
        children.append(FORK.Process(target=target, args=args))
        children[-1].start()
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.join(DEADLINE_S)


def no_sleep(_seconds):
    os.sched_yield()


def never(_seconds):
    raise AssertionError("waited although there was a slot")


def hold(fd, slots, entered, leave):
    with Turns(fd, slots, never).turn():
        entered.release()
        leave.acquire(timeout=DEADLINE_S)


def take_turns(fd, slots, inside, most, times):
    for _ in range(times):
        with Turns(fd, slots, no_sleep).turn():
            with inside.get_lock():
                inside.value += 1
            with most.get_lock():
                most.value = max(most.value, inside.value)
            os.sched_yield()
            with inside.get_lock():
                inside.value -= 1


@pytest.mark.parametrize("slots", [1, 2])
def test_no_more_than_the_slots_are_inside_at_once(fd, start, monkeypatch, slots):
    monkeypatch.setattr(turns, "PATIENCE_S", 10 * DEADLINE_S)
    inside, most = FORK.Value("i", 0), FORK.Value("i", 0)
    children = [start(take_turns, fd, slots, inside, most, 100) for _ in range(4)]
    for child in children:
        child.join(DEADLINE_S)
        assert child.exitcode == 0
    assert 1 <= most.value <= slots


def test_every_slot_can_be_held_and_then_one_waits(fd, start, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_S", 10 * DEADLINE_S)
    entered, leave = FORK.Semaphore(0), FORK.Semaphore(0)
    for _ in range(3):
        start(hold, fd, 3, entered, leave)
    assert all(entered.acquire(timeout=DEADLINE_S) for _ in range(3))
    waits = []

    def let_one_go(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            leave.release()
        no_sleep(seconds)

    with Turns(fd, 3, let_one_go).turn():
        pass
    assert waits
    leave.release()
    leave.release()


def test_a_killed_holder_frees_its_slot(fd, start, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_S", 10 * DEADLINE_S)
    entered, leave = FORK.Semaphore(0), FORK.Semaphore(0)
    holder = start(hold, fd, 1, entered, leave)
    assert entered.acquire(timeout=DEADLINE_S)
    waits = []

    def kill_the_holder(seconds):
        waits.append(seconds)
        holder.kill()
        holder.join(DEADLINE_S)

    with Turns(fd, 1, kill_the_holder).turn():
        assert len(waits) == 1


def test_patience_ends_the_wait_and_the_slot_stays_its_holders(fd, start, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_S", 0.05)
    entered, leave = FORK.Semaphore(0), FORK.Semaphore(0)
    holder = start(hold, fd, 1, entered, leave)
    assert entered.acquire(timeout=DEADLINE_S)
    for _ in range(2):  # the second shows that the first did not free what it never had
        waits = []
        with Turns(fd, 1, waits.append).turn():
            assert waits
            assert holder.is_alive()
    leave.release()
    holder.join(DEADLINE_S)
    assert holder.exitcode == 0


def test_a_turn_that_fails_is_over(fd, start):
    with pytest.raises(ZeroDivisionError), Turns(fd, 1, never).turn():
        raise ZeroDivisionError
    entered, leave = FORK.Semaphore(0), FORK.Semaphore(1)
    child = start(hold, fd, 1, entered, leave)  # fails where it would have to wait
    child.join(DEADLINE_S)
    assert child.exitcode == 0


def test_a_stop_ends_the_wait(fd, start):
    entered, leave = FORK.Semaphore(0), FORK.Semaphore(0)
    start(hold, fd, 1, entered, leave)
    assert entered.acquire(timeout=DEADLINE_S)

    def stopped(_seconds):
        raise Stopped("told to stop")

    with pytest.raises(Stopped), Turns(fd, 1, stopped).turn():
        pytest.fail("got in")


def test_without_a_file_nobody_waits():
    inside = threading.Semaphore(0)
    with Turns(None, 1, never).turn(), Turns(None, 1, never).turn():
        inside.release()
    assert inside.acquire(timeout=0)
