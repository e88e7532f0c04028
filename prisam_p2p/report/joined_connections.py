"""Every connection: both its ends and the kernel's figures for each, joined by addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prisam_p2p.report.both_sides import Side, both_sides, sides
from prisam_p2p.report.connection_ends import CLIENT, UNKNOWN, End, Process
from prisam_p2p.report.hosts import RunHosts
from prisam_p2p.report.kernel import KernelFigures, KernelSocket, Pair
from prisam_p2p.report.local_drops import streams_that_left
from prisam_p2p.wire.zmtp import MECHANISMS, PLAIN, Mechanism


@dataclass(frozen=True)
class JoinedConnection:
    """One TCP connection between two peers, or with a stranger.

    Attributes:
        client_address, server_address: host:port.
        client_end, server_end: records of each peer; None: it has none (it was killed before).
        client_peer, server_peer: peer ids; "": a stranger.
        client_final, server_final: the peer closed its sockets in order, so its records are
            complete.
        client_socket, server_socket: the kernel's figures; None: it gave none.
        client_host, server_host: that the ends were on; "": the run has no hosts.
        lost_hosts: those of them that the run lost: their last records are missing.
        replaced: the same two peers opened another connection for this channel later.
    """

    client_address: str
    server_address: str
    client_end: End | None
    server_end: End | None
    client_peer: str
    server_peer: str
    client_final: bool
    server_final: bool
    client_socket: KernelSocket | None
    server_socket: KernelSocket | None
    client_host: str = ""
    server_host: str = ""
    lost_hosts: tuple[str, ...] = ()
    replaced: bool = False

    @property
    def channel(self) -> str:
        """control or bulk; "" where only the kernel knows of the connection."""
        end = self.client_end or self.server_end
        return end.channel if end else ""

    @property
    def foreign(self) -> bool:
        """Not between two peers: a stranger's, or known to the kernel alone."""
        return not (self.client_peer and self.server_peer and (self.client_end or self.server_end))

    @property
    def cut(self) -> bool:
        """Not closed in order by both ends: bytes may be lost on the way."""
        in_order = self.client_final and self.server_final
        return self.replaced or self.given_up or bool(self.lost_hosts) or not in_order

    @property
    def given_up(self) -> bool:
        """A kernel sent bytes again that the other never received: the link was cut."""
        there, here = self.client_socket, self.server_socket
        if there is None or here is None:
            return False
        ways = ((there, here, True), (here, there, False))
        return any(
            out.retransmitted and min(streams_that_left(out, back, opened)) > back.received
            for out, back, opened in ways
        )

    @property
    def measured(self) -> bool:
        """The kernel gave figures for at least one end, which cover both directions."""
        return self.client_socket is not None or self.server_socket is not None

    @property
    def heartbeat_ms(self) -> int:
        """Interval of the client's PINGs; 0: none."""
        end = self.client_end or self.server_end
        return end.heartbeat_ms if end else 0

    @property
    def mechanism(self) -> Mechanism:
        """What secured the connection."""
        end = self.client_end or self.server_end
        return MECHANISMS[end.security] if end else PLAIN

    @property
    def began_s(self) -> float:
        """When it was first recorded; where only the kernel knows of it, when it ended."""
        ends = [each.t_s for each in (self.client_end, self.server_end) if each]
        sockets = (self.client_socket, self.server_socket)
        return min(ends or [each.t_s for each in sockets if each])

    @property
    def life_s(self) -> float:
        """From its first record to its end in the kernel; 0 where that is not known."""
        ends = [each.t_s for each in (self.client_socket, self.server_socket) if each]
        return max(0.0, max(ends) - self.began_s) if ends else 0.0


def join(
    processes: Mapping[str, Sequence[Process]], kernel: KernelFigures, hosts: RunHosts
) -> tuple[list[JoinedConnection], list[JoinedConnection]]:
    """Return (connections between peers in the order of their beginning, foreign ones).

    Args:
        processes: peer -> its processes in their order.
        kernel: the figures of all kernels: those of a connection's ends may come from two.
    """
    ends: defaultdict[Pair, list[End]] = defaultdict(list)
    for end in (e for each in processes.values() for process in each for e in process.ends()):
        ends[end.client, end.server].append(end)
    unknown = [e for pair in list(ends) if UNKNOWN in pair for e in ends.pop(pair)]
    joined = [
        connection
        for pair, found in ends.items()
        for connection in _connections(pair, found, processes, kernel)
    ]
    ours = sorted((c for c in joined if not c.foreign), key=lambda c: c.began_s)
    strangers = [c for c in joined if c.foreign] + [_unknown(end) for end in unknown]
    strangers += [
        connection
        for pair in _unrecorded(ends, kernel)
        for connection in _connections(pair, (), processes, kernel)
    ]
    return _mark_replaced(_on_hosts(ours, hosts)), _on_hosts(strangers, hosts)


def _on_hosts(connections: list[JoinedConnection], hosts: RunHosts) -> list[JoinedConnection]:
    """Return the connections with the hosts of their ends."""
    return [_on_its_hosts(each, hosts) for each in connections] if hosts else connections


def _on_its_hosts(connection: JoinedConnection, hosts: RunHosts) -> JoinedConnection:
    at_s = connection.began_s
    client = hosts.of_address(connection.client_address, connection.client_peer, at_s)
    server = hosts.of_address(connection.server_address, connection.server_peer, at_s)
    lost = tuple(x for x in dict.fromkeys((client, server)) if hosts.was_lost(x, at_s))
    return replace(connection, client_host=client, server_host=server, lost_hosts=lost)


def _connections(
    pair: Pair,
    ends: Sequence[End],
    processes: Mapping[str, Sequence[Process]],
    kernel: KernelFigures,
) -> list[JoinedConnection]:
    """Return the connections of one address pair: more than one if a port was used again."""
    in_order = sorted(ends, key=lambda end: end.t_s)
    clients = [end for end in in_order if end.side == CLIENT]
    servers = [end for end in in_order if end.side != CLIENT]
    at_client, at_server = (kernel.sockets.get(each, []) for each in (pair, pair[::-1]))
    both = both_sides(sides(clients, at_client), sides(servers, at_server))
    return [_connection(pair, *each, processes) for each in both]


def _connection(
    pair: Pair, at_client: Side, at_server: Side, processes: Mapping[str, Sequence[Process]]
) -> JoinedConnection:
    client, server = at_client.end, at_server.end
    client_peer = client.peer if client else server.neighbor if server else ""
    server_peer = server.peer if server else client.neighbor if client else ""
    return JoinedConnection(
        *pair,
        client_end=client,
        server_end=server,
        client_peer=client_peer,
        server_peer=server_peer,
        client_final=_final(client, server, processes.get(client_peer, ())),
        server_final=_final(server, client, processes.get(server_peer, ())),
        client_socket=at_client.socket,
        server_socket=at_server.socket,
    )


def _final(end: End | None, other: End | None, processes: Sequence[Process]) -> bool:
    """Tell whether an end's counts are complete; of a missing end: whether there were none."""
    if end is not None:
        return end.final
    if other is None:
        return False
    there = [p for p in processes if p.started_s <= other.t_s]
    return there[-1].final and not there[-1].has_unknown if there else False


def _unknown(end: End) -> JoinedConnection:
    """Return a connection that cannot be joined: it was gone before its addresses could be read."""
    at_client = end.side == CLIENT
    return JoinedConnection(
        end.client,
        end.server,
        client_end=end if at_client else None,
        server_end=None if at_client else end,
        client_peer=end.peer if at_client else end.neighbor,
        server_peer=end.neighbor if at_client else end.peer,
        client_final=end.final,
        server_final=end.final,
        client_socket=None,
        server_socket=None,
    )


def _mark_replaced(connections: Sequence[JoinedConnection]) -> list[JoinedConnection]:
    """Mark all but the last connection of each client, server and channel."""
    last = {(c.client_peer, c.server_peer, c.channel): i for i, c in enumerate(connections)}
    lasting = set(last.values())
    return [replace(c, replaced=i not in lasting) for i, c in enumerate(connections)]


def _unrecorded(recorded: Mapping[Pair, object], kernel: KernelFigures) -> list[Pair]:
    """Return the address pairs that only the kernel knows, which does not report who connected."""
    found: dict[Pair, None] = {}
    for pair in kernel.sockets:
        other = pair[::-1]
        if not (pair in recorded or other in recorded or other in found):
            found[pair] = None
    return list(found)
