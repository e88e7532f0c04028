"""A process's own memory and CPU time, seen from outside."""

import os
import time
from contextlib import contextmanager

import pytest

from prisam_p2p.system.process_memory import cpu_s_of, memory_of

MIB = 2**20


@contextmanager
def forked(work):
    """Fork; the child does `work`, tells so, and waits for its end."""
    read, write = os.pipe()
    end, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(held)
        kept = work()  # noqa: F841
        os.write(write, b"x")
        os.read(end, 1)
        os._exit(0)
    assert os.read(read, 1) == b"x"
    yield pid
    os.close(held)
    os.waitpid(pid, 0)
    for descriptor in (read, write, end):
        os.close(descriptor)


def burn():
    began = time.thread_time()
    while time.thread_time() - began < 0.2:
        pass


def test_what_a_fork_writes_is_its_own_and_what_it_inherits_is_not():
    inherited = bytearray(b"x") * (64 * MIB)
    with forked(lambda: None) as idle, forked(lambda: bytearray(b"y") * (32 * MIB)) as writer:
        few, many = memory_of(idle), memory_of(writer)
    assert len(inherited) == 64 * MIB
    assert few.private_bytes < 32 * MIB
    assert 32 * MIB <= many.private_bytes < few.private_bytes + 40 * MIB


def test_cpu_time_is_that_of_the_process():
    with forked(burn) as busy, forked(lambda: None) as idle:
        assert cpu_s_of(busy) > 0.2 > cpu_s_of(idle)


def test_a_process_that_has_ended_is_told():
    with forked(lambda: None) as pid:
        pass
    for look in (memory_of, cpu_s_of):
        with pytest.raises(ProcessLookupError):
            look(pid)
