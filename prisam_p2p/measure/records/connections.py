"""A peer's neighbors and connections, and the bytes that passed them.

The peer counts its own; `Socket` and `Watch`, in kernel.jsonl, are what the kernel counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connected:
    """Neighbors that welcomed this peer, and those that did not in time."""

    neighbors: list[str]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class NeighborJoined:
    """A neighbor connected (again)."""

    neighbor: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class NeighborLeft:
    """A neighbor's connection closed, or it said Bye."""

    neighbor: str
    reason: str


@dataclass(frozen=True, slots=True)
class NeighborFenced:
    """A neighbor's host was lost: its processes before `least_incarnation` are heard no more.

    What follows in this journal did not come from one of them.
    """

    neighbor: str
    least_incarnation: int


@dataclass(frozen=True, slots=True)
class Turned:
    """A message was rejected: a stranger's, stale, malformed, ..

    `count` of this sender and verdict so far; written at the first, and when 2, 4, 8, .. are
    reached or passed.
    """

    sender: str
    verdict: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection with a neighbor, by a number of this peer's own; "" = with a stranger.

    Attributes:
        cookie: the kernel's number of this end's socket, as in `Socket`; 0 = unknown.
    """

    connection: int
    side: str
    client: str
    server: str
    neighbor: str
    channel: str
    heartbeat_ms: int
    security: str
    cookie: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts so far that changed since the last such record (`measure.traffic.Row`).

    `final`: written after the sockets were closed in order; nothing passed after it.
    """

    round: int
    final: bool
    rows: list[list[str | int]]


@dataclass(frozen=True, slots=True)
class Socket:
    """What the kernel counted for one TCP socket, one end of a connection, up to `source`.

    "destroyed": up to its end. "dump": a look at it, for want of the other.

    Attributes:
        cookie: the kernel's number of the socket, which no other socket has.
        bytes_acked, unacked: see TcpInfo and DiagSocket; None in runs of earlier releases.
    """

    local: str
    remote: str
    source: str
    sent: int
    retransmitted: int
    received: int
    segs_out: int
    segs_in: int
    data_segs_out: int
    data_segs_in: int
    state: str
    cookie: int
    bytes_acked: int | None = None
    unacked: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """The last line of kernel.jsonl: whether the kernel reported its sockets, and how often not.

    Attributes:
        mtu: of the interface between peers of one host.
        host: whose kernel it is; "" where the run has no hosts.
        between_mtu: of the interface to the other hosts; None where there are none.
    """

    available: bool
    reason: str
    overruns: int
    cpu_s: float
    mtu: int
    host: str = ""
    between_mtu: int | None = None
