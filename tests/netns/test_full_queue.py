"""A queue that is full drops segments that TCP has counted as sent: the closure must know."""

import json
import socket
import threading
import time
from functools import partial

import pytest
from inside import DEADLINE_S, connected_from_here

from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.processes.kernel_watch import KernelWatch
from prisam_p2p.processes.our_sockets import BetweenAddresses
from prisam_p2p.report.kernel import kernel_socket
from prisam_p2p.report.local_drops import streams_that_left

N_STREAMS, STREAM, PART = 12, 20_000, 500


def send(out):
    out.settimeout(2 * DEADLINE_S)
    for _ in range(STREAM // PART):
        out.sendall(bytes(PART))
    out.shutdown(socket.SHUT_WR)


def receive(into):
    into.settimeout(2 * DEADLINE_S)
    while into.recv(1 << 16):
        pass


@pytest.mark.usefixtures("namespaces_work")
def test_what_the_senders_own_queue_drops_is_counted_as_sent(tmp_path):
    """Twelve streams over a link of 1 Mbit/s, whose queue holds 17 packets."""
    path, network = tmp_path / "kernel.jsonl", Namespaces(["a", "b"])
    try:
        network.apply({("a", "b"): LinkState(rate_mbit_s=1, loss=0.02)})
        pairs = [connected_from_here(network) for _ in range(N_STREAMS)]
        addresses = [end.getsockname()[0] for end in pairs[0]]
        with KernelWatch(BetweenAddresses(addresses), path, time.monotonic(), network, 1500):
            acts = [partial(send, out) for out, _ in pairs]
            acts += [partial(receive, into) for _, into in pairs]
            threads = [threading.Thread(target=act) for act in acts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for one in (end for pair in pairs for end in pair[::-1]):
                one.close()
    finally:
        network.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    sockets = {x["local"]: kernel_socket(x) for x in lines if x["record"] == "socket"}
    senders = [each for each in sockets.values() if each.local.startswith(f"{addresses[0]}:")]
    assert len(senders) == N_STREAMS
    over = [out for out in senders if out.sent - out.retransmitted > STREAM]
    assert over
    for out in senders:
        back = sockets[out.remote]
        assert back.received == STREAM + 1  # the FIN
        assert streams_that_left(out, back, opened=True)[0] == STREAM
