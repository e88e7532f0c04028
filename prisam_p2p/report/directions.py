"""The two directions of a connection: what each end counted, and what the kernel's figures mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from prisam_p2p.report.counts import NOTHING, Counts, stream_bytes, total
from prisam_p2p.report.heartbeats import Account
from prisam_p2p.report.joined_connections import JoinedConnection
from prisam_p2p.report.kernel import KernelSocket
from prisam_p2p.report.local_drops import streams_that_left

Side = Literal["client", "server"]
_NO_BOUND: Final = 2**62


@dataclass(frozen=True)
class Stream:
    """Stream bytes that left the sender, and that were received, as the kernel reports them.

    None: not reported.
    """

    sent: int
    received: int | None


@dataclass(frozen=True)
class Direction:
    """One direction of a connection: the counts of its sender, its receiver and the kernel.

    Attributes:
        side: of the sender, client or server.
        sent, received: counts of the sender, and of the receiver.
        sender_final, receiver_final: whether these counts are complete.
        at_sender, at_receiver: the kernel's sockets.
        cut: bytes may have been lost on the way.
        host_lost: an end was on a host that was lost, and may lack its last records.
        handshake: bytes of a whole handshake.
        beat_bytes: bytes of a heartbeat of this side; 0: there are none.
    """

    side: Side
    sender: str
    receiver: str
    sent: Counts = field(repr=False)
    received: Counts = field(repr=False)
    sender_final: bool
    receiver_final: bool
    at_sender: KernelSocket | None
    at_receiver: KernelSocket | None
    cut: bool
    host_lost: bool
    handshake: int
    beat_bytes: int

    @property
    def basis(self) -> str:
        """Whose counts stand in the ledger: the sender's if final, else the receiver's if final,
        else the greater of what was last written ("last-sender" or "last-receiver")."""
        if self.sender_final:
            return "sender"
        if self.receiver_final:
            return "receiver"
        greater = counted(self.sent) >= counted(self.received)
        return "last-sender" if greater else "last-receiver"

    @property
    def counts(self) -> Counts:
        """The counts of `basis`."""
        return self.sent if self.basis in ("sender", "last-sender") else self.received

    def streams(self) -> list[Stream]:
        """Return the possible meanings of the kernel's figures: a received FIN is no stream byte.

        Two if only the receiver's figures are there, or if there were local drops; else one.
        """
        out, back = self.at_sender, self.at_receiver
        if out and back:
            came, left = back.received, streams_that_left(out, back, self.side == "client")
            return [Stream(sent, came - 1 if came == sent + 1 else came) for sent in left]
        if out:
            return [Stream(out.stream, None)]
        if back:
            came = back.received
            return [Stream(came, came), Stream(came - 1, came - 1)][: 2 if came else 1]
        return []

    def local_drops(self, stream: int) -> int:
        """Return the bytes counted as sent that are not in the stream that left, of this length."""
        return self.at_sender.stream - stream if self.at_sender else 0

    def late(self, stream: Stream) -> int:
        """Return the bytes of a heartbeat that was on its way when the other end closed.

        Both ends close in order, but not at the same instant: libzmq may send one in between.
        """
        if self.cut or stream.received is None:
            return 0
        way = stream.sent - stream.received
        return way if way == self.beat_bytes else 0

    def accounts(self, stream: Stream, largest: int) -> list[Account]:
        """Return an account for each end's complete counts; without any, one of the last counts."""
        sent, received = counted(self.sent), counted(self.received)
        if self.basis.startswith("last"):
            lack = sent if self.basis == "last-sender" else 0
            known = counted(self.counts)
            return [Account(stream.sent - self._shaken(stream.sent) - known, _NO_BOUND, lack)]
        accounts = []
        if self.sender_final:
            residue = stream.sent - self._shaken(stream.sent) - sent
            accounts.append(Account(residue, lack=sent if self.cut else 0))
        if self.receiver_final:
            came = stream.sent if stream.received is None else stream.received
            came += self.late(stream)
            unbound = _NO_BOUND if stream.received is None else largest - 1
            residue = came - self._shaken(came) - received
            lost = max(0, stream.sent - came) if self.cut else 0
            accounts.append(Account(residue, excess=unbound if self.cut else 0, in_flight=lost))
        return accounts

    def _shaken(self, stream: int) -> int:
        """Return the bytes of the handshake in a stream, which may have ended during it."""
        return min(self.handshake, stream)


def directions(connection: JoinedConnection) -> tuple[Direction, Direction]:
    """Return client to server, and back."""
    client, server, how = connection.client_end, connection.server_end, connection.mechanism
    there = Direction(
        side="client",
        sender=connection.client_peer,
        receiver=connection.server_peer,
        sent=client.sent if client else NOTHING,
        received=server.received if server else NOTHING,
        sender_final=connection.client_final,
        receiver_final=connection.server_final,
        at_sender=connection.client_socket,
        at_receiver=connection.server_socket,
        cut=connection.cut,
        host_lost=bool(connection.lost_hosts),
        handshake=how.client_handshake,
        beat_bytes=how.ping_bytes if connection.heartbeat_ms else 0,
    )
    back = replace(
        there,
        side="server",
        sender=there.receiver,
        receiver=there.sender,
        sent=server.sent if server else NOTHING,
        received=client.received if client else NOTHING,
        sender_final=there.receiver_final,
        receiver_final=there.sender_final,
        at_sender=there.at_receiver,
        at_receiver=there.at_sender,
        handshake=how.server_handshake,
        beat_bytes=how.pong_bytes if connection.heartbeat_ms else 0,
    )
    return there, back


def counted(counts: Counts) -> int:
    """Return the stream bytes of all messages counted."""
    return stream_bytes(total(counts.values()))
