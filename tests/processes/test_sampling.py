"""What is seen of real processes: one that is stopped, one that spins, one that sleeps."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.spec import BoardSpec
from prisam_p2p.peer.marks import Marks
from prisam_p2p.processes.sampling import Sampled, Sampler, open_board, period_s, sample_of
from prisam_p2p.processes.watchdog import Seen, Watchdog
from prisam_p2p.system.process_state import process_state

DEADLINE_S = 60.0
NUMBER = 7
CHILD = """
import contextlib, sys, threading, time
from prisam_p2p.control.activity import Activity
from prisam_p2p.control.spec import BoardSpec
from prisam_p2p.peer.marks import Marks
marks = Marks(BoardSpec(fd=int(sys.argv[1]), n_peers=3, places={"p00": 0, "p02": 2}), 1)
marks.begin_round(3)
waits = sys.argv[2] == "waits"
deadline = time.monotonic() + 1000
pulling = marks.doing(Activity.PULLING, deadline, ["p02", "stranger"])
with marks.doing(Activity.TRAINING), pulling if waits else contextlib.nullcontext():
    if sys.argv[2] == "hangs while another thread spins":
        threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
    print("up", flush=True)
    while sys.argv[2] == "spins":
        pass
    threading.Event().wait()
"""


@contextlib.contextmanager
def child(board, does):
    """A process that shows itself on place 1 of the board."""
    command = [sys.executable, "-c", CHILD, str(board.fd), does]
    with subprocess.Popen(command, pass_fds=[board.fd], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"up\n"
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def board():
    with open_board(3) as made:
        yield made


def first_stall(board, pid, looks=8):
    """Watch a child with a fast clock: one look every 30 ms, told as one a second."""
    sampler, watchdog = Sampler(board), Watchdog(1000.0)
    for i in range(looks):
        (sample,) = sampler.samples({NUMBER: Sampled(pid, 1)})
        watchdog.look({"p01": Seen(sample)}, float(i))
        signal.sigtimedwait([], 0.03)
    return [stall.words.replace(f"{stall.since_s:.0f} s", "N s") for stall in watchdog.stalls]


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    ends_s = time.monotonic() + DEADLINE_S
    while process_state(pid).letter != "T":
        assert time.monotonic() < ends_s
        signal.sigtimedwait([], 0.01)


@pytest.mark.parametrize(
    ("does", "stopped", "said"),
    [
        ("spins", False, []),
        ("waits", False, []),
        ("spins", True, ["stopped for N s while training in round 3"]),
        ("waits", True, ["stopped for N s while pulling in round 3"]),
        ("hangs", False, ["without processor time for N s while training in round 3"]),
        (
            "hangs while another thread spins",
            False,
            ["without processor time for N s while training in round 3"],
        ),
    ],
)
def test_what_is_said_of_a_process_that(board, does, stopped, said):
    with child(board, does) as pid:
        if stopped:
            stop(pid)
        assert first_stall(board, pid) == said


def test_a_sample_tells_the_wait_and_survives_the_way_as_json(board):
    sampler = Sampler(board)
    with child(board, "waits") as pid:
        ends_s = time.monotonic() + DEADLINE_S
        while (sample := sampler.samples({NUMBER: Sampled(pid, 1)})[0]).state is None:
            assert time.monotonic() < ends_s
        assert sample.slot.activity is Activity.PULLING
        assert 900 < sample.left_s <= 1000
        assert sample.slot.waits_for == b"\x04"  # place 2; a stranger has none
    assert sample.row() == sample_of(sample.row()).row()
    assert sample_of(sample.row()).number == NUMBER
    assert sample_of([7, 3]).slot.progress == 3


def test_the_kernel_is_asked_only_about_those_that_show_no_progress(board):
    marks, sampler = Marks(board, 0), Sampler(board)
    assert sampler.samples({NUMBER: Sampled(os.getpid(), 0)})[0].state is None  # the first look
    assert sampler.samples({NUMBER: Sampled(os.getpid(), 0)})[0].state.letter == "R"
    marks.advance()
    assert sampler.samples({NUMBER: Sampled(os.getpid(), 0)})[0].state is None


def test_a_process_that_is_gone_has_no_state(board):
    with child(board, "waits") as pid:
        pass
    sampler = Sampler(board)
    assert [sampler.samples({NUMBER: Sampled(pid, 1)})[0].state for _ in range(2)] == [None, None]


def test_the_next_process_of_a_peer_begins_with_a_clear_slot(board):
    marks, sampler = Marks(board, 2), Sampler(board)
    with marks.doing(Activity.TRAINING):
        sampler.clear(2)
    # What the dead process would have written last is not there:
    sampler.clear(2)
    (sample,) = sampler.samples({NUMBER: Sampled(os.getpid(), 2)})
    assert (sample.slot.progress, sample.slot.activity) == (0, Activity.STARTING)


def test_a_peer_writes_into_its_own_slot_only(board):
    for place in range(3):
        Marks(board, place).begin_round(place)
    samples = Sampler(board).samples({place: Sampled(1, place) for place in range(3)})
    assert [sample.slot.round_index for sample in samples] == [0, 1, 2]


def test_many_peers_are_sampled_less_often():
    assert [period_s(n) for n in (2, 250, 400, 500, 2000)] == [1.0, 1.0, 1.6, 2.0, 2.0]


def test_marks_without_a_board_are_written_nowhere():
    marks = Marks()
    with marks.doing(Activity.TRAINING), marks.waiting() as show:
        show(1.0, lambda: ["p01"])
        marks.advance()


def test_after_an_activity_the_one_before_is_shown_again(board):
    marks, sampler = Marks(board, 0), Sampler(board)

    def shown():
        slot = sampler.samples({NUMBER: Sampled(1, 0)})[0].slot
        return slot.activity, slot.until_s

    with marks.doing(Activity.RUNNING):
        with marks.doing(Activity.PULLING):
            with marks.waiting() as show:
                show(5.0, list)
                assert shown() == (Activity.PULLING, 5.0)
            assert shown() == (Activity.PULLING, 0.0)
        assert shown() == (Activity.RUNNING, 0.0)
        with pytest.raises(ZeroDivisionError), marks.doing(Activity.TRAINING, 9.0):
            raise ZeroDivisionError
        assert shown() == (Activity.RUNNING, 0.0)
    assert shown() == (Activity.STARTING, 0.0)


def test_whom_a_wait_is_for_is_written_when_it_begins_and_not_at_every_event(board):
    marks, asked = Marks(board, 0), []
    with marks.doing(Activity.WAITING_FOR_MASKS), marks.waiting() as show:
        for _ in range(1000):
            show(1.0, lambda: asked.append(1) or ["p01"])
    assert 1 <= len(asked) < 100


def test_the_memory_is_there_before_anyone_writes():
    with open_board(3) as made:
        assert isinstance(made, BoardSpec)
        assert os.fstat(made.fd).st_size == 3 * 64
        assert os.fstat(made.fd).st_blocks > 0
