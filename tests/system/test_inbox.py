"""An inbox is first in, first out, and its waits end by their timeout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from queue import Empty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.peer.stop_signal import StopRequest
from prisam_p2p.system.inbox import Inbox

DEADLINE_S = 60.0


@pytest.mark.timeout(60)  # SimpleQueue.get of CPython 3.11 does not return from 1e-9
@pytest.mark.parametrize("timeout_s", [-1.0, 0.0, 1e-9, 1e-6, 1e-3])
def test_a_wait_ends_however_short_its_timeout(timeout_s):
    inbox, stop = Inbox(), StopRequest()
    for _ in range(200):
        with pytest.raises(Empty):
            inbox.get(timeout_s)
        stop.sleep(timeout_s)


@given(st.lists(st.integers(), max_size=20), st.integers(1, 4))
def test_items_come_out_in_order_whenever_they_are_read(items, every):
    inbox, read = Inbox(), []
    for n, item in enumerate(items):
        inbox.put(item)
        if n % every == 0:
            read.append(inbox.get(0))
    read += [inbox.get(0) for _ in range(len(inbox))]
    assert read == items
    with pytest.raises(Empty):
        inbox.get(0)


def test_items_from_many_threads_all_reach_the_reader():
    inbox, n = Inbox(), 500
    writers = [threading.Thread(target=lambda: [inbox.put(i) for i in range(n)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    got = [inbox.get(DEADLINE_S) for _ in range(4 * n)]
    for writer in writers:
        writer.join(DEADLINE_S)
    assert sorted(got) == sorted(4 * [*range(n)])


def test_a_signal_handler_ends_the_wait_that_it_interrupts():
    inbox = Inbox()
    before = signal.signal(signal.SIGALRM, lambda *_: inbox.put("rang"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert inbox.get(DEADLINE_S) == "rang"
    finally:
        signal.signal(signal.SIGALRM, before)


WAITS = """
import signal, sys, threading
from prisam_p2p.system.inbox import Inbox
inbox = Inbox()
signal.signal(signal.SIGTERM, lambda *_: inbox.put(7))
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("waits", flush=True)
sys.exit(inbox.get(600))
"""


def test_a_signal_received_while_the_process_was_stopped_ends_the_wait_too():
    for _ in range(5):  # the thread that takes the signal varies
        with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE) as child:
            try:
                assert child.stdout.readline() == b"waits\n"
                child.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
                child.send_signal(signal.SIGTERM)
                child.send_signal(signal.SIGCONT)
                assert child.wait(DEADLINE_S) == 7
            finally:
                child.kill()
