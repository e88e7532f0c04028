"""Measure the rate, loss and delay of a network's link.

Both ends are sockets of one process, made in the sender's and the receiver's namespace, so there
is one clock and nothing to coordinate. Call each function in a child (system/isolated.py): it
changes the namespace of its process.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import time

from prisam_p2p.netns.interface import Network
from prisam_p2p.system.setns import CLONE_NEWNET, enter, setns

PAYLOAD_OF_FRAME = 1448 / 1514
"""Share of a full Ethernet frame that carries the stream of TCP with timestamps."""

_TIMEOUT_S = 5.0
_STRAGGLERS_S = 0.3
_CHUNK = bytes(1 << 16)


def bound_sockets(
    network: Network, sender: str, receiver: str, kind: int
) -> tuple[socket.socket, ...]:
    """Return two unconnected sockets, bound at the sender's and at the receiver's address.

    The process is in the sender's namespace afterwards.

    Args:
        kind: such as socket.SOCK_STREAM.
    """
    made = []
    for index, peer in enumerate((receiver, sender)):
        entry = network.entry(peer)
        if entry and not index:
            enter(entry["net_fd"] or 0, entry["user_fd"])
        elif entry:
            setns(entry["net_fd"] or 0, CLONE_NEWNET)
        one = socket.socket(socket.AF_INET, kind)
        one.settimeout(_TIMEOUT_S)
        one.bind((network.addresses[peer], 0))
        made.append(one)
    return made[1], made[0]


def rate_mbit_s(network: Network, sender: str, receiver: str, for_s: float) -> float:
    """Return the rate in Mbit/s of the frames that carry one TCP stream for `for_s` seconds.

    The first third does not count: TCP repairs early losses then, and delivers in bursts.
    """
    out, listening = bound_sockets(network, sender, receiver, socket.SOCK_STREAM)
    listening.listen(1)
    out.connect(listening.getsockname())
    into, _ = listening.accept()
    for each in (out, into):
        each.setblocking(False)
    began_s = time.monotonic()
    _pump(out, into, began_s + for_s / 3)
    counted_s = time.monotonic()
    n_bytes = _pump(out, into, began_s + for_s)
    return n_bytes * 8e-6 / (time.monotonic() - counted_s) / PAYLOAD_OF_FRAME


def loss(network: Network, sender: str, receiver: str, packets: int) -> float:
    """Send this many datagrams, and return the share of them that did not arrive."""
    out, into = bound_sockets(network, sender, receiver, socket.SOCK_DGRAM)
    into.setblocking(False)
    came, where = 0, into.getsockname()
    for _ in range(packets):
        out.sendto(b"x", where)
        came += _received(into)
    until_s = time.monotonic() + _STRAGGLERS_S
    while came < packets and time.monotonic() < until_s:
        time.sleep(0.01)
        came += _received(into)
    return 1 - came / packets


def delays_ms(network: Network, sender: str, receiver: str, packets: int) -> list[float]:
    """Send datagrams 5 ms apart, and return the delays of those that arrived, in their order."""
    out, into = bound_sockets(network, sender, receiver, socket.SOCK_DGRAM)
    where = into.getsockname()
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        selector.register(into, selectors.EVENT_READ)
        next_s, sent = time.monotonic(), 0
        until_s = next_s + packets * 0.005 + _TIMEOUT_S
        while len(times) < packets and time.monotonic() < until_s:
            if sent < packets and time.monotonic() >= next_s:
                out.sendto(str(time.monotonic()).encode(), where)
                sent, next_s = sent + 1, next_s + 0.005
            wait_s = next_s - time.monotonic() if sent < packets else 0.05
            if selector.select(max(0.0, wait_s)):
                times.append((time.monotonic() - float(into.recv(100))) * 1000)
    return times


def median_delay_ms(network: Network, sender: str, receiver: str, packets: int) -> float:
    """Return the median of `delays_ms`."""
    return statistics.median(delays_ms(network, sender, receiver, packets))


def _received(into: socket.socket) -> int:
    came = 0
    try:
        while into.recv(10):
            came += 1
    except BlockingIOError:
        pass
    return came


def _pump(out: socket.socket, into: socket.socket, until_s: float) -> int:
    """Send and receive as fast as possible; return the number of bytes received."""
    came = 0
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_WRITE)
        selector.register(into, selectors.EVENT_READ)
        while (left_s := until_s - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                if key.fileobj is out:
                    out.send(_CHUNK)
                else:
                    came += len(into.recv(1 << 20))
    return came
