"""Masks per second between two processes, beside bare pyzmq with messages of the same sizes."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import zmq

from prisam_p2p.bench.mask_sender import LIMITS, NEIGHBORS, TIMEOUT_MS, masks
from prisam_p2p.bench.processes import Child, child
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.sockets import Socket, connect_dealer
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.mask_coding import MaskReceiver, RoundMask, coded
from prisam_p2p.wire.messages import Channel, MaskAnnounce

_HERE, _THERE = "127.77.1.1", "127.77.1.2"
FLIPS = {"whole": 8, "unchanged": 0, "8 changes": 8}


@dataclass(frozen=True)
class MaskRate:
    """Masks per second, ours and bare messages of the same frames: medians; ratio in pairs."""

    masks: str
    ours_per_s: float
    bare_per_s: float
    ratio: float


def mask_rates(n_bits: int, rounds: int, repeats: int) -> list[MaskRate]:
    """Measure each kind of mask, `rounds` times 100 messages, in turns with bare pyzmq."""
    with child("prisam_p2p.bench.mask_sender", _THERE, str(n_bits)) as sender:
        port = sender.hear()["port"]
        context: zmq.Context[Socket] = zmq.Context()
        try:
            dealer, monitor = connect_dealer(
                context, Channel.CONTROL, _HERE, (_THERE, port), LIMITS
            )
            dealer.set(zmq.SNDTIMEO, TIMEOUT_MS)
            dealer.set(zmq.RCVTIMEO, TIMEOUT_MS)
            dealer.disable_monitor()
            monitor.close(linger=0)
            return [_rate(sender, dealer, name, n_bits, rounds, repeats) for name in FLIPS]
        finally:
            context.destroy(linger=0)


def _rate(
    sender: Child, dealer: Socket, name: str, n_bits: int, rounds: int, repeats: int
) -> MaskRate:
    whole, flips = name == "whole", FLIPS[name]
    first, second = (RoundMask(t, m) for t, m in enumerate(masks(n_bits, 2, flips)))
    sizes = [len(frame) for frame in encode(coded(second, None if whole else first))]
    ours, bare, n = [], [], rounds * len(NEIGHBORS)
    for _ in range(repeats):
        sender.tell(ours=True, rounds=rounds, flips=flips, whole=whole)
        ours.append(n / _receive_ours(dealer, rounds))
        sender.tell(ours=False, rounds=rounds, sizes=sizes)
        bare.append(n / _receive_bare(dealer, n))
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    return MaskRate(name, statistics.median(ours), statistics.median(bare), ratio)


def _receive_ours(dealer: Socket, rounds: int) -> float:
    """Return the seconds since the first message, at which the sender is under way."""
    messenger, receiver = Messenger(Inbox(), TrafficCounter()), MaskReceiver(most_bits=2**16)
    connection, began = TcpConnection(0, "client", "", ""), 0.0
    dealer.send(b"")
    for _ in range(rounds):
        for neighbor in NEIGHBORS:
            frames = dealer.recv_multipart(copy=False)
            began = began or time.perf_counter()
            message = messenger.read(connection, neighbor, frames)
            assert isinstance(message, MaskAnnounce)
            receiver.decode(neighbor, message)
    return time.perf_counter() - began


def _receive_bare(dealer: Socket, n: int) -> float:
    dealer.send(b"")
    dealer.recv_multipart()
    began = time.perf_counter()
    for _ in range(n - 1):
        dealer.recv_multipart()
    return time.perf_counter() - began
