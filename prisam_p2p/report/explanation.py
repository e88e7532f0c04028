"""Every byte that the kernel counted on a connection, explained: docs/ledger.md has the rules."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from prisam_p2p.report.counts import stream_by_kind
from prisam_p2p.report.directions import Direction, Stream, counted, directions
from prisam_p2p.report.heartbeats import Account, Heartbeats, find_heartbeats, most_pings
from prisam_p2p.report.joined_connections import JoinedConnection
from prisam_p2p.wire.zmtp import Mechanism

KERNEL, MODEL = "kernel", "model"
_BEYOND_A_CHUNK = 2048


@dataclass(frozen=True)
class Explained:
    """A direction, explained. All figures but `heartbeats` are bytes.

    With the counts of `direction.basis` as messages,
    stream = messages + handshake + heartbeat_bytes + torn + in_flight - unsent   (receiver's), or
    stream = messages + handshake + heartbeat_bytes - unsent                        (sender's), or
    stream = messages + handshake + uncounted - unsent         (neither is complete).

    Attributes:
        source: kernel, or model (then `stream` is messages and handshake).
        stream: bytes that left the sender, each counted once.
        received: of these, bytes that arrived at the other end.
        heartbeats: number of PINGs or PONGs.
        torn: bytes of a message of which only a part arrived.
        unsent: counted by the sender, never in the stream.
        in_flight: sent, never received.
        uncounted: sent after the last counts that either end wrote.
        unexplained: 0, or the check fails.
        local_drops: counted as sent, but never left the sender; not in the stream.
    """

    direction: Direction
    source: str
    stream: int
    received: int
    handshake: int
    heartbeats: int = 0
    heartbeat_bytes: int = 0
    torn: int = 0
    unsent: int = 0
    in_flight: int = 0
    uncounted: int = 0
    unexplained: int = 0
    local_drops: int = 0

    @property
    def judged(self) -> bool:
        """Whether a byte too many or too few would be seen.

        Not so where the connection was cut and one of the two sides of the sum is missing: the
        kernel's figures, or complete counts of an end. Nor where an end was on a host that was
        lost.
        """
        direction = self.direction
        if direction.host_lost:
            return False
        complete = direction.sender_final or direction.receiver_final
        return not direction.cut or (self.source == KERNEL and complete)


def largest_message(chunk_kib: int) -> int:
    """Return an upper bound of a message's bytes in the stream: a chunk and its head."""
    return chunk_kib * 1024 + _BEYOND_A_CHUNK


def explain(connection: JoinedConnection, largest: int) -> tuple[Explained, Explained]:
    """Return both directions explained: client to server, and back.

    Args:
        largest: `largest_message` of the run.
    """
    there, back = directions(connection)
    if not connection.measured:
        return _modelled(there), _modelled(back)
    most = most_pings(connection.heartbeat_ms, connection.life_s)
    meanings = product(there.streams(), back.streams())
    how = connection.mechanism
    found = [_explain(there, back, a, b, most, largest, how) for a, b in meanings]
    return min(found, key=lambda pair: [sum(getattr(e, n) for e in pair) for n in _LOST])


_LOST = ("unexplained", "torn", "unsent")


def _explain(
    there: Direction,
    back: Direction,
    out: Stream,
    answer: Stream,
    most: int,
    largest: int,
    mechanism: Mechanism,
) -> tuple[Explained, Explained]:
    accounts = there.accounts(out, largest), back.accounts(answer, largest)
    known = not there.basis.startswith("last")
    beats = find_heartbeats(*accounts, most, mechanism) if known else Heartbeats()
    return (
        _explain_direction(there, out, accounts[0], beats.pings, mechanism.ping_bytes),
        _explain_direction(back, answer, accounts[1], beats.pongs, mechanism.pong_bytes),
    )


def _explain_direction(
    direction: Direction, stream: Stream, accounts: list[Account], beats: int, beat_bytes: int
) -> Explained:
    received = stream.sent if stream.received is None else stream.received
    way = stream.sent - received
    rests = [account.rest(beats * beat_bytes) for account in accounts]
    over = max(0, *rests, 0)
    lacking = (-rest - account.in_flight for rest, account in zip(rests, accounts, strict=True))
    under = max(0, *lacking, 0)
    lost = [account.unexplained(beats * beat_bytes) for account in accounts]
    lost.append(0 if direction.cut and way >= 0 else abs(way - direction.late(stream)))
    lost.append(0 if direction.cut else _disagreement(direction))
    lost = [0] if direction.host_lost else lost
    fine = not max(lost)
    counting = direction.basis.startswith("last")
    return Explained(
        direction=direction,
        source=KERNEL,
        stream=stream.sent,
        received=received,
        handshake=min(direction.handshake, stream.sent),
        heartbeats=beats,
        heartbeat_bytes=beats * beat_bytes,
        torn=over if fine and not counting else 0,
        unsent=under if fine else 0,
        in_flight=way if fine else 0,
        uncounted=over if fine and counting else 0,
        unexplained=max(lost),
        local_drops=direction.local_drops(stream.sent),
    )


def _disagreement(direction: Direction) -> int:
    """Return the bytes by which the ends' complete counts differ, summed over the kinds."""
    sent, received = stream_by_kind(direction.sent), stream_by_kind(direction.received)
    return sum(abs(sent[kind] - received[kind]) for kind in sent)


def _modelled(direction: Direction) -> Explained:
    stream = direction.handshake + counted(direction.counts)
    return Explained(
        direction=direction,
        source=MODEL,
        stream=stream,
        received=stream,
        handshake=direction.handshake,
        unexplained=0 if direction.cut else _disagreement(direction),
    )
