"""The table of connections, a row for each direction; docs/sql.md describes its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prisam_p2p.report.counts import total
from prisam_p2p.report.explanation import KERNEL, MODEL
from prisam_p2p.report.joined_connections import JoinedConnection
from prisam_p2p.report.kernel import KernelSocket
from prisam_p2p.report.ledger import Entry, Ledger, sender_and_receiver


@dataclass(frozen=True)
class ConnectionRow:
    """One direction of a connection; unknown figures of a foreign one are "", 0 or null."""

    client: str
    server: str
    channel: str
    sender: str
    receiver: str
    side: str
    is_foreign: bool
    began_s: float | None = None
    life_s: float | None = None
    cut: bool = True
    basis: str = ""
    messages: int = 0
    payload: int = 0
    header: int = 0
    framing: int = 0
    handshake: int = 0
    heartbeats: int = 0
    heartbeat_bytes: int = 0
    torn: int = 0
    unsent: int = 0
    in_flight: int = 0
    uncounted: int = 0
    unexplained: int = 0
    stream: int = 0
    received: int = 0
    retransmitted: int = 0
    data_segments: int = 0
    pure_segments: int = 0
    wire: int | None = None
    source: str = MODEL
    sender_host: str = ""
    receiver_host: str = ""
    host_lost: bool = False
    local_drops: int = 0


def connection_rows(ledger: Ledger) -> Iterator[ConnectionRow]:
    """Yield both directions of each connection, those between peers first."""
    for connection, entry in ledger.entries:
        yield _row(connection, entry)
    for connection in ledger.foreign:
        yield from _foreign_rows(connection)


def _row(connection: JoinedConnection, entry: Entry) -> ConnectionRow:
    explained, cost = entry.explained, entry.cost
    direction = explained.direction
    count = total(direction.counts.values())
    return ConnectionRow(
        client=connection.client_address,
        server=connection.server_address,
        channel=connection.channel,
        sender=direction.sender,
        receiver=direction.receiver,
        side=direction.side,
        is_foreign=False,
        began_s=connection.began_s,
        life_s=connection.life_s,
        cut=direction.cut,
        basis=direction.basis,
        messages=count.messages,
        payload=count.payload,
        header=count.header,
        framing=count.framing,
        handshake=explained.handshake,
        heartbeats=explained.heartbeats,
        heartbeat_bytes=explained.heartbeat_bytes,
        torn=explained.torn,
        unsent=explained.unsent,
        in_flight=explained.in_flight,
        uncounted=explained.uncounted,
        unexplained=explained.unexplained,
        local_drops=explained.local_drops,
        stream=explained.stream,
        received=explained.received,
        retransmitted=cost.retransmitted,
        data_segments=cost.data_segments,
        pure_segments=cost.pure_segments,
        wire=cost.bytes,
        source=cost.source,
        **_hosts(connection, direction.side),
    )


def _foreign_rows(connection: JoinedConnection) -> Iterator[ConnectionRow]:
    """Yield what is known of a connection that is not between two peers: its stream."""
    at_client, at_server = connection.client_socket, connection.server_socket
    client, server = connection.client_peer, connection.server_peer
    yield _foreign(connection, "client", client, server, at_client, at_server)
    yield _foreign(connection, "server", server, client, at_server, at_client)


def _foreign(
    connection: JoinedConnection,
    side: str,
    sender: str,
    receiver: str,
    at_sender: KernelSocket | None,
    at_receiver: KernelSocket | None,
) -> ConnectionRow:
    received = at_receiver.received if at_receiver else 0
    return ConnectionRow(
        client=connection.client_address,
        server=connection.server_address,
        channel=connection.channel,
        sender=sender,
        receiver=receiver,
        side=side,
        is_foreign=True,
        stream=at_sender.stream if at_sender else received,
        received=received,
        retransmitted=at_sender.retransmitted if at_sender else 0,
        source=KERNEL if connection.measured else MODEL,
        **_hosts(connection, side),
    )


def _hosts(connection: JoinedConnection, side: str) -> dict[str, Any]:
    sender, receiver = sender_and_receiver(connection, side)
    lost = bool(connection.lost_hosts)
    return {"sender_host": sender, "receiver_host": receiver, "host_lost": lost}
