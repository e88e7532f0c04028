"""A donor in a process of its own, to be killed: `python donor_process.py PORT INCARNATION AT`.

It offers the same weights however often it is started, to the peer a whose ROUTER is at port AT.
It prints its port once neighbors may connect, and ends with its standard input.
"""

from __future__ import annotations

import sys

import numpy as np
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.mask_coding import RoundMask

LAYOUT = one_layer(channels=256, inputs=1100)
WEIGHTS = random_weights(LAYOUT)
MASK = RoundMask(0, PackedMask.pack(np.arange(LAYOUT.n_bits) % 2 == 0))
CHUNK = 16 * 1024
ADDRESSES = {"a": "127.2.0.1", "b": "127.2.0.2"}
UP_BYTES_S = 800_000.0


def transport_of(peer, neighbor, incarnation=0, rates=None, inbox=None, note=None, port=0):
    identity = Identity(b"run-id-8", peer, incarnation, b"w" * 16, LAYOUT.digest)
    me = LocalPeer(identity, ADDRESSES[peer], [neighbor], port)
    how = TransportSettings(CHUNK, Patience(60, 0, 30), rates or Rates())
    inbox = Inbox() if inbox is None else inbox
    note = note or (lambda _record: None)
    return Transport(me, LAYOUT, inbox, how, note)


def main(port, incarnation, at):
    donor = transport_of("b", "a", incarnation, Rates(up_bytes_s=UP_BYTES_S), port=port)
    donor.announce(MASK, snapshot_of(LAYOUT, 0, WEIGHTS))
    donor.connect({"a": (ADDRESSES["a"], at)})
    print(donor.port, flush=True)
    sys.stdin.read()
    donor.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
