"""The ledger: bytes by link, kind and round, in every layer. docs/ledger.md defines them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prisam_p2p.measure.traffic import BEFORE_ROUNDS, CONTROL, HELLO, Count
from prisam_p2p.report.connection_ends import CLIENT, Process, processes_of
from prisam_p2p.report.counts import Key, stream_bytes
from prisam_p2p.report.explanation import KERNEL, MODEL, Explained, explain, largest_message
from prisam_p2p.report.hosts import RunHosts, run_hosts
from prisam_p2p.report.joined_connections import JoinedConnection, join
from prisam_p2p.report.kernel import read_kernel
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.wire_cost import (
    HANDSHAKE_SEGMENTS,
    KERNEL_AND_MODEL,
    WireCost,
    share_out,
    wire_cost,
)

_SOURCES = (KERNEL, KERNEL_AND_MODEL, MODEL)
_BULK = "bulk"


@dataclass(slots=True)
class LedgerRow:
    """Messages of one kind that went from one peer to another in one round; bytes.

    `round` is that of the peer that counted, -1 before its first announcement. stream = payload +
    header + framing; `segments`: the fewest of 1448 bytes, each message alone; `wire`: stream and
    this row's share of everything else on the wire; `source` of that, the least certain one.
    Hosts are "" in a run without; a peer that moved to another host has rows of both.
    """

    sender: str
    receiver: str
    kind: str
    round: int
    messages: int = 0
    payload: int = 0
    header: int = 0
    framing: int = 0
    stream: int = 0
    segments: int = 0
    wire: int = 0
    source: str = KERNEL
    sender_host: str = ""
    receiver_host: str = ""


@dataclass(frozen=True)
class Entry:
    """One direction of a connection: its bytes explained, and its bytes on the wire."""

    explained: Explained
    cost: WireCost


@dataclass(frozen=True)
class Ledger:
    """All of a run's bytes between peers.

    Attributes:
        rows: sorted by sender, receiver, kind, round and the hosts of both.
        connections: each with its two directions, client to server first.
        foreign: connections that are not between two peers: in no row, not part of the closure.
        unrecorded: (peer, its number of a connection that it has no record of, counted bytes).
        mtus: of the interfaces that the kernels counted on: within a host, and between hosts.
        hosts: of the run.
        processes: peer -> its processes, each with what it counted.
    """

    rows: list[LedgerRow]
    connections: list[tuple[JoinedConnection, tuple[Entry, Entry]]]
    foreign: list[JoinedConnection]
    unrecorded: list[tuple[str, int, int]]
    mtus: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    hosts: RunHosts = field(default_factory=RunHosts)
    processes: Mapping[str, list[Process]] = field(default_factory=dict)

    @property
    def entries(self) -> Iterator[tuple[JoinedConnection, Entry]]:
        """Each direction of each connection between peers."""
        for connection, both in self.connections:
            for entry in both:
                yield connection, entry


def make_ledger(run: RunFolder, by_peer: Mapping[str, list[Process]] | None = None) -> Ledger:
    """Return the ledger of a run folder, also of a run that was killed.

    Args:
        by_peer: peer -> its processes, where its journals were read for them already.
    """
    hosts = run_hosts(run)
    kernel = read_kernel(run, hosts)
    by_peer = processes_of(run) if by_peer is None else by_peer
    ours, foreign = join(by_peer, kernel, hosts)
    largest = largest_message(run.plan["settings"].get("chunk_kib", 0))
    explained = [(c, _entries(c, largest, kernel.mtu(c.client_host, c.server_host))) for c in ours]
    unrecorded = [each for found in by_peer.values() for each in _unrecorded(found)]
    mtus = {*kernel.mtus.values()}, {*kernel.between_mtus.values()}
    return Ledger(_rows(explained), explained, foreign, unrecorded, mtus, hosts, by_peer)


def _entries(connection: JoinedConnection, largest: int, mtu: int) -> tuple[Entry, Entry]:
    there, back = explain(connection, largest)
    bulk = connection.channel == _BULK
    return Entry(there, wire_cost(there, False, mtu)), Entry(back, wire_cost(back, bulk, mtu))


def _unrecorded(found: Sequence[Process]) -> Iterator[tuple[str, int, int]]:
    for process in found:
        for number, counts in process.unrecorded().items():
            yield process.peer, number, sum(stream_bytes(count) for count in counts)


def _rows(connections: Sequence[tuple[JoinedConnection, tuple[Entry, Entry]]]) -> list[LedgerRow]:
    table: dict[tuple[str, str, str, int, str, str], LedgerRow] = {}
    for connection, both in connections:
        for entry in both:
            way = entry.explained.direction
            hosts = sender_and_receiver(connection, way.side)
            for (kind, at), count, wire in _shares(entry):
                key = way.sender, way.receiver, kind, at, *hosts
                row = table.get(key)
                if row is None:
                    row = table[key] = LedgerRow(*key[:4], sender_host=key[4], receiver_host=key[5])
                _add(row, count, wire, entry.cost.source)
    return [table[key] for key in sorted(table)]


def sender_and_receiver(connection: JoinedConnection, side: str) -> tuple[str, str]:
    """Return the hosts of a direction's sender, which is at this side, and of its receiver."""
    hosts = connection.client_host, connection.server_host
    return hosts if side == CLIENT else hosts[::-1]


def _shares(entry: Entry) -> list[tuple[Key, Count, int]]:
    """Return (kind, round) -> counts and wire bytes, handshake and heartbeats among them."""
    explained = entry.explained
    counts = defaultdict(list)
    for key, count in explained.direction.counts.items():
        counts[key].append(count)
    shake = Count(framing=explained.handshake, segments=HANDSHAKE_SEGMENTS)
    beats = Count(framing=explained.heartbeat_bytes, segments=explained.heartbeats)
    counts[HELLO, BEFORE_ROUNDS].append(shake)
    if explained.heartbeats:
        counts[CONTROL, BEFORE_ROUNDS].append(beats)
    parts = [(key, count) for key, each in counts.items() for count in each]
    overhead = entry.cost.bytes - explained.stream
    shares = share_out(overhead, [count.segments for _, count in parts])
    return [
        (key, count, stream_bytes(count) + share)
        for (key, count), share in zip(parts, shares, strict=True)
    ]


def _add(row: LedgerRow, count: Count, wire: int, source: str) -> None:
    row.messages += count.messages
    row.payload += count.payload
    row.header += count.header
    row.framing += count.framing
    row.stream += stream_bytes(count)
    row.segments += count.segments
    row.wire += wire
    row.source = max(row.source, source, key=_SOURCES.index)
