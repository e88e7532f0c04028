"""Networks of one process, over real sockets, and what they write down."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.round_book import RoundBook
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.messages import WireDtype

CAP_S = 90.0
LAYOUT = one_layer(channels=16, inputs=3)
WEIGHTS = random_weights(LAYOUT)
MASK = PackedMask.pack(np.arange(LAYOUT.n_bits) % 2 == 0)


class Peer:
    """A network and what it wrote."""

    def __init__(self, folder, peer, neighbors, floor_s, cap_s):
        self.address = f"127.1.7.{ord(peer) - ord('a') + 1}"
        self.path, inbox = folder / f"{peer}.jsonl", Inbox()
        identity = Identity(b"run-id-8", peer, 0, b"w" * 16, LAYOUT.digest)
        me = LocalPeer(identity, self.address, neighbors)
        patience = Patience(timeout_s=60.0, least_bytes_s=0.0, resume_s=1.0)
        how = TransportSettings(16 * 1024, patience, Rates())
        self.transport = Transport(me, LAYOUT, inbox, how)
        book = RoundBook(neighbors, LAYOUT.n_bits)
        deadline = RoundDeadline(DeadlineRule(cap_s, k=6.0, floor_s=floor_s, quorum=0.5))
        journal = Journal(self.path, time.monotonic())
        dtype = WireDtype.FLOAT32
        self.network = Neighbors(
            self.transport, book, deadline, inbox, journal, LAYOUT, 60.0, dtype
        )

    def announce(self, t):
        self.network.announce(t, MASK, WEIGHTS)

    def heard(self):
        return self.records("heard")

    def records(self, kind):
        lines = map(json.loads, self.path.read_text().splitlines())
        return [line for line in lines if line["record"] == kind]


@contextlib.contextmanager
def peers(folder, names, floor_s=10.0, cap_s=CAP_S):
    """Yield peers that all know each other, before they meet."""
    made = {n: Peer(folder, n, [o for o in names if o != n], floor_s, cap_s) for n in names}
    try:
        yield made
    finally:
        for each in made.values():
            each.transport.close()


def meet(made):
    """Connect all at the same time, each in a thread of its own."""
    roster = {n: (p.address, p.transport.port) for n, p in made.items()}
    with ThreadPoolExecutor() as pool:
        for name, each in made.items():
            others = {n: where for n, where in roster.items() if n != name}
            pool.submit(each.network.connect, others, 30.0)
