"""Networks of one process that relay masks over real sockets, plain or with keys."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

from spec_of_a import spec_of_a
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.relaying import make_relaying
from prisam_p2p.peer.round_book import RoundBook
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire.messages import WireDtype

LAYOUT = one_layer(channels=16, inputs=3)
WEIGHTS = random_weights(LAYOUT)
RUN = b"run-id-8"


def mask_of(peer, shift=0):
    return PackedMask(LAYOUT.n_bits, bytes([ord(peer), shift]) + bytes(-(-LAYOUT.n_bits // 8) - 2))


class RelayingPeer:
    """A network that relays, and what it wrote."""

    def __init__(self, folder, peer, links, members, keys, hops, **of_transport):
        self.name, self.address = peer, f"127.1.8.{ord(peer) - ord('a') + 1}"
        self.keys, self.links = keys.get(peer), links
        self.path, inbox = folder / f"{peer}.jsonl", Inbox()
        spec = spec_of_a(
            folder,
            peer_id=peer,
            neighbors=links,
            members=members,
            address=self.address,
            keys=keys.get(peer),
        ).model_copy(update={"settings": RunSettings(mask_hops=hops, round_timeout_s=20.0)})
        identity = Identity(RUN, peer, 0, b"w" * 16, LAYOUT.digest)
        relaying = make_relaying(spec, identity)
        me = LocalPeer(identity, self.address, links, 0, spec.keys, **relaying.of_transport)
        patience = Patience(timeout_s=20.0, least_bytes_s=0.0, resume_s=1.0)
        how = TransportSettings(16 * 1024, patience, Rates())
        self.transport = Transport(me, LAYOUT, inbox, how, self._note, **of_transport)
        self._journal = Journal(self.path, time.monotonic())
        self.network = Neighbors(
            self.transport,
            RoundBook(links, LAYOUT.n_bits),
            RoundDeadline(DeadlineRule(20.0, k=6.0)),
            inbox,
            self._journal,
            LAYOUT,
            20.0,
            WireDtype.FLOAT32,
            relay=relaying.make(self.transport, LAYOUT.n_bits),
        )

    def _note(self, record):
        self._journal.write(record)

    def round(self, t, shift=0):
        """Announce and hear; return peer -> mask."""
        self.network.announce(t, mask_of(self.name, shift), WEIGHTS)
        return self.network.hear(t)

    def records(self, kind):
        lines = map(json.loads, self.path.read_text().splitlines())
        return [line for line in lines if line["record"] == kind]

    def turned(self):
        """Return (sender, verdict) of every message that was not accepted."""
        self.network.reached()  # takes in what is there
        return {(line["sender"], line["verdict"]) for line in self.records("turned")}

    def carried(self, kind="relay"):
        """Return how many messages of a kind came in and went out."""
        found = {"in": 0, "out": 0}
        for _, way, carried, _, messages, *_ in self.transport.traffic():
            if carried == kind:
                found[way] += messages
        return found


@contextlib.contextmanager
def relaying_peers(folder, links, hops=9, secured=False, connected=True, **of):
    """Yield peer -> its network, connected unless that is left to `meet`.

    Args:
        links: such as "ab bc cd".
        of: peer -> further arguments of its transport.
    """
    pairs = [tuple(each) for each in links.split()]
    names = sorted({name for pair in pairs for name in pair})
    near = {n: sorted({o for p in pairs if n in p for o in p} - {n}) for n in names}
    keys = make_keys(near, sign=True) if secured else {}
    made = {n: RelayingPeer(folder, n, near[n], names, keys, hops, **of.get(n, {})) for n in names}
    try:
        if connected:
            meet(made, 20.0)
        yield made
    finally:
        for each in made.values():
            each.transport.close()


def meet(made, timeout_s, those=None):
    """Connect all peers, or `those`, with their neighbors."""
    where = {n: (each.address, each.transport.port) for n, each in made.items()}
    with ThreadPoolExecutor(len(made)) as pool:
        met = [
            pool.submit(each.network.connect, {o: where[o] for o in each.links}, timeout_s)
            for n, each in made.items()
            if n in (those or made)
        ]
        for each in met:
            each.result()


def play(made, t, shifts=None):
    """Let all peers play a round at the same time; return peer -> what it heard."""
    with ThreadPoolExecutor(len(made)) as pool:
        heard = {
            n: pool.submit(each.round, t, (shifts or {}).get(n, 0)) for n, each in made.items()
        }
        return {n: each.result() for n, each in heard.items()}
