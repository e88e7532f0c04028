"""ZeroMQ sockets with the options this project needs; why each is set stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import zmq
from zmq.utils.monitor import recv_monitor_message

from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.messages import Channel
from prisam_p2p.wire.zmtp import CURVE, PLAIN

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


_MOST_FRAMES = 4
"""One more than any message of ours has, with the routing id: what has so many is none."""


@dataclass(frozen=True)
class SocketLimits:
    """Bounds that follow from the run.

    Attributes:
        heartbeat_ms: between ZMTP pings on control connections; three unanswered = gone.
        largest_request, largest_reply: bytes of the biggest frame that a ROUTER, a DEALER may get.
    """

    heartbeat_ms: int
    largest_request: int
    largest_reply: int

    @property
    def silence_ms(self) -> int:
        """How long a process may say nothing on a control connection."""
        return 3 * self.heartbeat_ms

    @property
    def kernel_silence_ms(self) -> int:
        """How long a kernel may leave a connection unanswered: a few losses in a row are none."""
        return 2 * self.silence_ms


def bind_router(
    context: Context, address: str, port: int, limits: SocketLimits, keys: Keys | None = None
) -> tuple[Socket, int]:
    """Return a ROUTER bound to `address` and its port; 0 = let the system choose.

    It gives each connection an id of its own: one that its client chose could be another's.
    """
    router = context.socket(zmq.ROUTER)
    _common(router, limits, limits.largest_request, keys)
    if keys:
        router.set(zmq.CURVE_SERVER, 1)
        router.set(zmq.ZAP_DOMAIN, b"prisam")  # with one, nobody comes in before the gate says so
    router.set(zmq.ROUTER_MANDATORY, 1)  # else messages to an unknown id vanish silently
    router.bind(f"tcp://{address}:{port}")
    port = int(router.get_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])
    return router, port


def watch_router(router: Socket, failures: bool) -> Socket:
    """Return the socket that tells of the ROUTER's connections, by file descriptor.

    Args:
        failures: also of errors in handshakes; the next connection that ends is the one meant.
    """
    wanted = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
    return router.get_monitor_socket(
        wanted | (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if failures else 0)
    )


def news(monitor: Socket) -> Iterator[tuple[int, int]]:
    """Yield what happened since: the event, and the descriptor (or other value) that it tells."""
    while readable(monitor):
        event = recv_monitor_message(monitor, zmq.DONTWAIT)
        yield int(event["event"]), int(event["value"])


def readable(socket: Socket) -> bool:
    """Tell whether a message is here; `Socket.poll(0)` says the same at ten times the cost."""
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)


def receive(socket: Socket) -> list[zmq.Frame]:
    """Return the frames of the next message, of a long one the first `_MOST_FRAMES`.

    ZeroMQ bounds the bytes of a frame, not how many a message has: in Python each costs 600 bytes.

    Raises:
        zmq.Again: there is none.
    """
    frame = socket.recv(zmq.DONTWAIT, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(zmq.DONTWAIT, copy=False)
        if len(frames) < _MOST_FRAMES:
            frames.append(frame)
    return frames


def connect_dealer(
    context: Context,
    channel: Channel,
    source: str,
    to: tuple[str, int],
    limits: SocketLimits,
    keys: Keys | None = None,
    server_key: str = "",
) -> tuple[Socket, Socket]:
    """Return a DEALER that connects from `source`, so the address pair is the directed link.

    With it comes the socket that tells of its connections: one that is lost comes back by itself.
    With keys, it talks to nobody but who has the secret key to `server_key`.
    """
    dealer = context.socket(zmq.DEALER)
    _common(dealer, limits, limits.largest_reply, keys)
    if keys:
        dealer.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
        dealer.set(zmq.CURVE_SERVERKEY, server_key.encode())
    dealer.set(zmq.IMMEDIATE, 1)  # else an absent peer's queue fills with stale messages
    dealer.set(zmq.CONNECT_TIMEOUT, 1000)  # with the next two: traffic resumes within a second
    dealer.set(zmq.RECONNECT_IVL, 100)
    dealer.set(zmq.RECONNECT_IVL_MAX, 1000)
    monitor = dealer.get_monitor_socket(
        zmq.EVENT_CONNECTED
        | zmq.EVENT_HANDSHAKE_SUCCEEDED
        | (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if keys else 0)
        | zmq.EVENT_DISCONNECTED
    )
    if channel is Channel.CONTROL:
        dealer.set(zmq.HEARTBEAT_IVL, limits.heartbeat_ms)
        dealer.set(zmq.HEARTBEAT_TIMEOUT, limits.silence_ms)
        dealer.set(zmq.HEARTBEAT_TTL, min(limits.silence_ms, 6_553_500))
    else:  # a heartbeat would cut a slow frame: it is the other kernel that is asked
        dealer.set(zmq.TCP_KEEPALIVE, 1)
        dealer.set(zmq.TCP_KEEPALIVE_IDLE, max(1, limits.silence_ms // 1000))  # s
        dealer.set(zmq.TCP_KEEPALIVE_INTVL, 1)  # s, until `kernel_silence_ms` are over
    dealer.connect(f"tcp://{source}:0;{to[0]}:{to[1]}")
    return dealer, monitor


def descriptor_of(frame: zmq.Frame) -> int | None:
    """Return the descriptor of the connection that `frame` came by; ZMTP 1 and 2 tell none."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None


def owner_of(frame: zmq.Frame) -> str:
    """Return whose key opened the connection that `frame` came by; "" = it needed none."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def _common(socket: Socket, limits: SocketLimits, largest_frame: int, keys: Keys | None) -> None:
    socket.set(zmq.LINGER, 0)
    # Else TCP doubles its pauses in a cut, and is back as late after it as the cut was long.
    socket.set(zmq.TCP_MAXRT, limits.kernel_silence_ms)
    # A hostile length ends its sender's connection.
    socket.set(zmq.MAXMSGSIZE, largest_frame + (CURVE if keys else PLAIN).box)
    if keys:
        socket.set(zmq.CURVE_SECRETKEY, keys.secret.get_secret_value().encode())
    socket.set(zmq.SNDHWM, 64)  # messages, not bytes: chunks are large
    socket.set(zmq.RCVHWM, 64)
