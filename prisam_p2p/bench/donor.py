"""The donor of a benchmark, in a process of its own."""

from __future__ import annotations

import json
import sys

import numpy as np

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import FLOAT32, Layout, Weights
from prisam_p2p.learn.malloc import use_one_heap
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.mask_coding import RoundMask

DONOR, REQUESTER = "donor", "requester"
RUN_ID, W0 = b"benchrun", bytes(16)


def transport_of(peer: str, address: str, layout: Layout, keys: Keys | None = None) -> Transport:
    """Return a peer's transport, made as in a run."""
    use_one_heap()
    neighbor = REQUESTER if peer == DONOR else DONOR
    how = TransportSettings(1024 * 1024, Patience(60, 0, 0), Rates(), spool_bytes=0)
    identity = Identity(RUN_ID, peer, 0, W0, layout.digest)
    me = LocalPeer(identity, address, [neighbor], keys=keys)
    return Transport(me, layout, Inbox(), how)


def dense_weights(layout: Layout) -> Weights:
    """Return random weights of the whole network."""
    rng = np.random.default_rng(0)
    mask = layout.full_mask()
    return Weights(
        mask,
        {
            t.name: rng.standard_normal(t.slim_shape(mask), np.float32)
            if t.dtype == FLOAT32
            else np.zeros(t.slim_shape(mask), t.dtype)
            for t in layout.tensors
        },
    )


def main(address: str, model: str, classes: int) -> None:
    """Offer dense weights of round 0 until the input ends; its first line holds the keys."""
    keys = json.loads(sys.stdin.readline())["keys"]
    layout = layout_of(Architecture(model, 1.0, classes, (3, 32, 32)))
    transport = transport_of(DONOR, address, layout, keys and Keys.model_validate(keys))
    print(json.dumps({"port": transport.port}), flush=True)
    requester = json.loads(sys.stdin.readline())
    transport.connect({REQUESTER: (requester["address"], requester["port"])})
    mask = RoundMask(0, PackedMask.pack(layout.full_mask()))
    transport.announce(mask, snapshot_of(layout, 0, dense_weights(layout)))
    sys.stdin.read()
    transport.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
