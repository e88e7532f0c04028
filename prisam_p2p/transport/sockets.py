"""ZeroMQ sockets and their options, with the reason for each."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

import zmq
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.system.listening_ports import some_ports
from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.messages import Channel
from prisam_p2p.wire.zmtp import CURVE, PLAIN

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

RECONNECT_MS, RECONNECT_MOST_MS = 100, 1000
"""Between two attempts to connect: at first, and at most."""


@dataclass(frozen=True)
class SocketLimits:
    """Bounds that follow from the run.

    Attributes:
        heartbeat_ms: between ZMTP pings on control connections; three unanswered = gone.
        largest_request: bytes of the largest frame that a ROUTER may receive.
        largest_reply: bytes of the largest frame that a DEALER may receive.
    """

    heartbeat_ms: int
    largest_request: int
    largest_reply: int

    @property
    def silence_ms(self) -> int:
        """How long a process may be silent on a control connection."""
        return 3 * self.heartbeat_ms

    @property
    def kernel_silence_ms(self) -> int:
        """How long a kernel may not acknowledge; longer, so that a few lost packets end nothing."""
        return 2 * self.silence_ms


def bind_router(
    context: Context,
    address: str,
    port: int,
    limits: SocketLimits,
    keys: Keys | None = None,
    shared: bool = False,
) -> tuple[Socket, int]:
    """Return a ROUTER bound to `address` and its port.

    ZeroMQ gives an id to each connection whose client chose none; our clients choose none.

    Args:
        port: 0 = any.
        shared: other peers have this address, and may have the port by now: then it is another.
    """
    router = context.socket(zmq.ROUTER)
    _common(router, limits, limits.largest_request, keys)
    if keys:
        router.set(zmq.CURVE_SERVER, 1)
        router.set(zmq.ZAP_DOMAIN, b"prisam")  # with one, the gate must accept each client
    router.set(zmq.ROUTER_MANDATORY, 1)  # else messages to an unknown id vanish silently
    tried = [each for each in (port, *some_ports()) if each] if shared else []
    if not any(_bound(router, address, each) for each in tried):
        router.bind(f"tcp://{address}:{0 if shared else port}")
    port = int(router.get_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])
    return router, port


def _bound(router: Socket, address: str, port: int) -> bool:
    """Bind a ROUTER; return False where the port is taken."""
    try:
        router.bind(f"tcp://{address}:{port}")
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise
    return True


def watch_router(router: Socket, failures: bool) -> Socket:
    """Return the socket that reports the ROUTER's connections, by file descriptor.

    Args:
        failures: report failed handshakes too, each just before its connection ends.
    """
    wanted = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
    return router.get_monitor_socket(
        wanted | (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if failures else 0)
    )


def news(monitor: Socket) -> Iterator[tuple[int, int]]:
    """Yield each new event of a monitor: (event, its value, mostly a file descriptor)."""
    while readable(monitor):
        event = recv_monitor_message(monitor, zmq.DONTWAIT)
        yield int(event["event"]), int(event["value"])


def readable(socket: Socket) -> bool:
    """Tell whether a message can be received, at a tenth of the cost of `Socket.poll(0)`."""
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)


def connect_dealer(
    context: Context,
    channel: Channel,
    source: str | None,
    to: tuple[str, int],
    limits: SocketLimits,
    keys: Keys | None = None,
    server_key: str = "",
) -> tuple[Socket, Socket]:
    """Return a DEALER that connects from `source` to `to`, and the socket that reports on it.

    A lost connection is opened again by ZeroMQ, but not one that the other side denied by its ZAP
    gate: of that the monitor tells, and the caller connects a new DEALER. With keys, only the owner
    of `server_key`'s secret key is talked to.

    Args:
        source: address; where no other peer has it, the address pair identifies the directed link.
            None = the system chooses.
    """
    dealer = context.socket(zmq.DEALER)
    _common(dealer, limits, limits.largest_reply, keys)
    if keys:
        dealer.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
        dealer.set(zmq.CURVE_SERVERKEY, server_key.encode())
    dealer.set(zmq.IMMEDIATE, 1)  # else an absent peer's queue fills with stale messages
    dealer.set(zmq.CONNECT_TIMEOUT, 1000)  # with the next two: traffic resumes within a second
    dealer.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    dealer.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS)
    monitor = dealer.get_monitor_socket(
        zmq.EVENT_CONNECTED
        | zmq.EVENT_HANDSHAKE_SUCCEEDED
        | (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH if keys else 0)
        | zmq.EVENT_DISCONNECTED
    )
    if channel is Channel.CONTROL:
        dealer.set(zmq.HEARTBEAT_IVL, limits.heartbeat_ms)
        dealer.set(zmq.HEARTBEAT_TIMEOUT, limits.silence_ms)
        dealer.set(zmq.HEARTBEAT_TTL, min(limits.silence_ms, 6_553_500))
    else:  # a heartbeat would cut a slow frame, so the other kernel is asked instead
        dealer.set(zmq.TCP_KEEPALIVE, 1)
        dealer.set(zmq.TCP_KEEPALIVE_IDLE, max(1, limits.silence_ms // 1000))  # s
        dealer.set(zmq.TCP_KEEPALIVE_INTVL, 1)  # s, until `kernel_silence_ms` are over
    bound = f"{source}:0;" if source else ""
    dealer.connect(f"tcp://{bound}{to[0]}:{to[1]}")
    return dealer, monitor


def _common(socket: Socket, limits: SocketLimits, largest_frame: int, keys: Keys | None) -> None:
    socket.set(zmq.LINGER, 0)
    # Else TCP doubles its retry interval in a cut, and recovers as late as the cut was long.
    socket.set(zmq.TCP_MAXRT, limits.kernel_silence_ms)
    # A longer frame ends its sender's connection.
    socket.set(zmq.MAXMSGSIZE, largest_frame + (CURVE if keys else PLAIN).box)
    if keys:
        socket.set(zmq.CURVE_SECRETKEY, keys.own_secret().encode())
    socket.set(zmq.SNDHWM, 64)  # messages, not bytes: chunks are large
    socket.set(zmq.RCVHWM, 64)
