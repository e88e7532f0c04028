"""The other end of the mask benchmark: a ROUTER that sends masks as fast as it can."""

from __future__ import annotations

import json
import sys

import numpy as np
import zmq

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.transport.sockets import Socket, SocketLimits, bind_router
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.mask_coding import MaskSender, RoundMask

# A receiver that is always behind reads no PONG in time: heartbeats would end the connection.
LIMITS = SocketLimits(heartbeat_ms=600_000, largest_request=1024, largest_reply=1024)
TIMEOUT_MS = 60_000
NEIGHBORS = [f"p{i:02}" for i in range(100)]
"""Neighbors that one process stands for: each mask is sent and received once for each."""


def masks(n_bits: int, n: int, flips: int) -> list[PackedMask]:
    """Return packed masks, each with `flips` bits other than the one before."""
    rng = np.random.default_rng(0)
    mask = rng.random(n_bits) < 0.5
    packed = []
    for _ in range(n):
        mask[rng.choice(n_bits, flips, replace=False)] ^= True
        packed.append(PackedMask.pack(mask))
    return packed


def send_ours(router: Socket, to: bytes, packed: list[PackedMask], whole: bool) -> None:
    """Code, encode and send each mask to all neighbors, as a peer does in a round."""
    sender = MaskSender()
    for mask in (RoundMask(t, bits) for t, bits in enumerate(packed)):
        for neighbor in NEIGHBORS:
            if whole:
                sender.forget(neighbor)
            router.send_multipart([to, *encode(sender.code(neighbor, mask))])
            sender.sent(neighbor, mask)


def send_bare(router: Socket, to: bytes, sizes: list[int], n: int) -> None:
    """Send the same number of messages, with frames of these sizes."""
    frames = [to, *(bytes(size) for size in sizes)]
    for _ in range(n):
        router.send_multipart(frames)


def main(address: str, n_bits: int) -> None:
    """Send the masks or messages that each line of the input asks for."""
    context: zmq.Context[Socket] = zmq.Context()
    router, port = bind_router(context, address, 0, LIMITS)
    router.set(zmq.SNDTIMEO, TIMEOUT_MS)
    router.set(zmq.RCVTIMEO, TIMEOUT_MS)
    print(json.dumps({"port": port}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        packed = masks(n_bits, asked["rounds"], asked["flips"]) if asked["ours"] else []
        to, _ = router.recv_multipart()  # the receiver is ready
        if asked["ours"]:
            send_ours(router, to, packed, asked["whole"])
        else:
            send_bare(router, to, asked["sizes"], asked["rounds"] * len(NEIGHBORS))
    context.destroy(linger=0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
