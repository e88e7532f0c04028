import errno
import multiprocessing
import os
import resource
import select
import signal
import sys

import numpy as np
import pytest

from prisam_p2p.system import process_limits as limits
from prisam_p2p.system.process_limits import (
    MIB,
    MemoryMeter,
    check_room_for_blas,
    data_bytes,
    die_with_parent,
    is_out_of_memory,
    memory_above_baseline,
)

DEADLINE_S = 60
FORK = multiprocessing.get_context("fork")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def in_a_child(function, *args):
    """Call `function` in a child process, which has its own limits, and return its result."""
    mine, its = FORK.Pipe(duplex=False)
    child = FORK.Process(target=lambda: its.send(function(*args)))
    child.start()
    its.close()
    try:
        assert mine.poll(DEADLINE_S), "no answer"
        return mine.recv()
    finally:
        child.kill()
        child.join(DEADLINE_S)


def by_numpy(mib):
    return np.ones(mib * MIB, np.uint8)


def by_torch(mib):
    import torch

    return torch.ones(mib * MIB, dtype=torch.uint8)


def allocate_within(limit_mib, allocate, mib):
    """Return whether a failure was recognized (None without one), and the MiB allocated after."""
    allocate(1)  # imports and pools are part of the baseline
    refusal = None
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        with memory_above_baseline(limit_mib):
            allocate(mib)
    except (MemoryError, RuntimeError) as error:
        refusal = is_out_of_memory(error)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    return refusal, len(allocate(2 * mib)) // MIB


@linux_only
@pytest.mark.parametrize("allocate", [by_numpy, by_torch])
def test_an_excess_is_refused_and_the_limit_is_lifted_after(allocate):
    assert in_a_child(allocate_within, 32, allocate, 200) == (True, 400)


@linux_only
@pytest.mark.parametrize("limit_mib", [None, 200])
def test_an_allocation_within_the_limit_succeeds(limit_mib):
    assert in_a_child(allocate_within, limit_mib, by_numpy, 100) == (None, 200)


@linux_only
def test_memory_held_at_the_beginning_does_not_count():
    def run():
        held = by_numpy(300)  # more than the limit, but before it
        return allocate_within(100, by_numpy, 50), len(held) // MIB

    assert in_a_child(run) == ((None, 100), 300)


def test_without_a_baseline_there_is_no_limit(monkeypatch):
    monkeypatch.setattr(limits, "data_bytes", lambda: None)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_above_baseline(1):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you .."), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("memory"), False),
    ],
)
def test_failed_allocations_are_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


@linux_only
def room_for_blas_within(limit_mib):
    with memory_above_baseline(limit_mib):
        try:
            check_room_for_blas.__wrapped__()
        except MemoryError as error:
            return str(error)
    return "it fits"


@linux_only
def test_openblas_is_not_called_where_it_would_ask_for_memory_for_ever():
    assert "OpenBLAS: Cannot allocate memory" in in_a_child(room_for_blas_within, 40)
    assert in_a_child(room_for_blas_within, 200) == "it fits"


def test_data_bytes_grow_with_allocations():
    before = data_bytes()
    held = by_numpy(64)
    assert 64 * MIB <= data_bytes() - before < 80 * MIB
    del held


def test_the_meter_keeps_the_peak_above_its_start(monkeypatch):
    meter, now = MemoryMeter(), iter([100 * MIB, 90 * MIB, 130 * MIB + 2**19, 110 * MIB])
    monkeypatch.setattr(limits, "data_bytes", lambda: next(now))
    meter.sample()  # before the start nothing counts
    assert meter.peak_mib is None
    meter.start()
    assert meter.peak_mib is None  # no sample yet
    peaks = []
    for _ in range(3):
        meter.sample()
        peaks.append(meter.peak_mib)
    assert peaks == [0.0, 30.5, 30.5]


def test_the_meter_tells_the_memory_now(monkeypatch):
    meter, now = MemoryMeter(), iter([50 * MIB, 100 * MIB, 130 * MIB + 2**19, 110 * MIB])
    monkeypatch.setattr(limits, "data_bytes", lambda: next(now))
    assert meter.now_mib() is None  # there is no baseline yet
    meter.start()
    assert [meter.now_mib(), meter.now_mib()] == [30.5, 10.0]
    assert meter.peak_mib is None


def test_without_known_memory_there_is_no_peak(monkeypatch):
    meter = MemoryMeter()
    monkeypatch.setattr(limits, "data_bytes", lambda: None)
    meter.start()
    meter.sample()
    assert meter.peak_mib is None
    assert meter.now_mib() is None


@linux_only
def test_a_child_dies_with_its_parent():
    alive, its = os.pipe()  # reaches its end when no process holds `its`

    def child():
        ready_in, ready_out = os.pipe()
        if os.fork() == 0:
            signal.alarm(2 * DEADLINE_S)  # ends the process if the test fails
            die_with_parent()
            os.write(ready_out, b"r")
            signal.pause()
        os.read(ready_in, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=child)
    process.start()
    os.close(its)
    process.join(DEADLINE_S)
    try:
        readable, _, _ = select.select([alive], [], [], DEADLINE_S)
        assert readable
        assert os.read(alive, 1) == b""
    finally:
        os.close(alive)
