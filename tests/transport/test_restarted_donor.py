"""A donor is killed in the middle of a transfer and starts again: the pull goes on."""

import contextlib
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty

import pytest
from donor_process import ADDRESSES, CHUNK, LAYOUT, WEIGHTS, transport_of
from tiny_layouts import same

from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events

pytestmark = pytest.mark.network

DEADLINE_S = 60
SCRIPT = Path(__file__).parents[1] / "helpers" / "donor_process.py"
N_BYTES = LAYOUT.n_bytes(LAYOUT.full_mask())


@contextlib.contextmanager
def donor(at, port=0, incarnation=0):
    """Yield a running donor's process and port."""
    command = [sys.executable, str(SCRIPT), str(port), str(incarnation), str(at)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert select.select([process.stdout], [], [], DEADLINE_S)[0], "it does not start"
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def wait(inbox, kind):
    """Return the next event of this kind; others are passed over."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            event = inbox.get(deadline - time.monotonic())
        except Empty:
            pytest.fail(f"no {kind.__name__}")
        assert not isinstance(event, (events.Broken, events.PullLost)), event
        if isinstance(event, kind):
            return event


def fetched_bytes(transport):
    """Return how much of the pull from b is here."""
    state = transport._client._pulls._underway.get("b")
    return state.pull.fetched_bytes if state else 0


def test_a_killed_donor_goes_on_where_it_was_once_it_is_back():
    assert N_BYTES >= 64 * CHUNK  # the window, four chunks, is little beside it
    inbox, connections = Inbox(), []
    requester = transport_of("a", "b", inbox=inbox, note=connections.append)
    try:
        with donor(requester.port) as (process, port):
            requester.connect({"b": (ADDRESSES["b"], port)})
            wait(inbox, events.MaskHeard)
            requester.pull(["b"], 0)
            deadline = time.monotonic() + DEADLINE_S
            while fetched_bytes(requester) < N_BYTES / 2 and time.monotonic() < deadline:
                pass
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE_S)
        wait(inbox, events.Left)
        before = fetched_bytes(requester)
        assert N_BYTES / 2 <= before < 0.9 * N_BYTES
        with donor(requester.port, port, incarnation=1) as (_, same_port):
            assert same_port == port
            assert wait(inbox, events.Joined).incarnation == 1
            pull = wait(inbox, events.PullDone).pull
            assert same(pull.weights(), WEIGHTS)
            assert pull.fetched_bytes == N_BYTES
    finally:
        requester.close()
    bulk = {c.connection for c in connections if (c.side, c.channel) == ("client", "bulk")}
    chunks = {
        connection: payload
        for connection, way, kind, _, _, payload, *_ in requester.traffic()
        if (way, kind) == ("in", "weights")
    }
    assert chunks.keys() == bulk
    assert len(bulk) == 2
    assert N_BYTES <= sum(chunks.values()) < 1.15 * N_BYTES
