"""Each end of a connection, as the journal of its peer has it.

The journal of a restarted peer holds one process after another: connection numbers and counts
begin anew with each `started` record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from sys import intern

from prisam_p2p.measure.traffic import Count
from prisam_p2p.report.counts import NOTHING, Counts, Key
from prisam_p2p.report.run_folder import Line, RunFolder

CLIENT, SERVER = "client", "server"
IN, OUT = "in", "out"

UNKNOWN = "?"
"""Address of a connection that was closed before it could be read."""


@dataclass(frozen=True)
class End:
    """One end of a TCP connection.

    Attributes:
        peer: the owner of this end; number: its number of the connection.
        side: client (a DEALER) or server (a ROUTER).
        client, server: the two addresses, host:port.
        neighbor: the peer at the other end; "": a stranger.
        heartbeat_ms: interval of the client's PINGs; 0: none.
        security: plain or curve.
        t_s: when it was recorded.
        cookie: the kernel's number of its socket; 0: unknown.
        final: its counts are complete: the peer closed it in order.
        received, sent: (kind, round) -> counts.
    """

    peer: str
    number: int
    side: str
    client: str
    server: str
    neighbor: str
    channel: str
    heartbeat_ms: int
    security: str
    t_s: float
    final: bool
    received: Counts = field(repr=False)
    sent: Counts = field(repr=False)
    cookie: int = 0


@dataclass
class Process:
    """One process of a peer: what it recorded of its connections.

    Attributes:
        started_s: when it started, seconds since the run began.
        final: it closed its sockets in order, and counted until then.
        connections: its number -> its record.
        counts: (number, direction) -> (kind, round) -> counts.
    """

    peer: str
    started_s: float
    final: bool = False
    connections: dict[int, Line] = field(default_factory=dict)
    counts: dict[tuple[int, str], dict[Key, Count]] = field(default_factory=dict)
    _keys: dict[Key, Key] = field(default_factory=dict, repr=False)  # each kept once

    def take_in(self, line: Line) -> None:
        """Add one record of the journal."""
        if line["record"] == "connection":
            self.connections[line["connection"]] = line
        elif line["record"] == "traffic":
            self.final = self.final or line["final"]
            for number, direction, kind, at, *figures in line["rows"]:
                counts = self.counts.setdefault((number, intern(direction)), {})
                key = self._keys.setdefault((kind, at), (intern(kind), at))
                counts[key] = Count(*figures)

    def ends(self) -> Iterator[End]:
        """Yield its end of each connection."""
        for number, line in self.connections.items():
            yield End(
                peer=self.peer,
                number=number,
                side=line["side"],
                client=line["client"],
                server=line["server"],
                neighbor=line["neighbor"],
                channel=line["channel"],
                heartbeat_ms=line["heartbeat_ms"],
                security=line["security"],
                t_s=line["t_s"],
                final=self.final,
                received=self.counts.get((number, IN), NOTHING),
                sent=self.counts.get((number, OUT), NOTHING),
                cookie=line.get("cookie", 0),
            )

    @property
    def has_unknown(self) -> bool:
        """Whether it had a connection that was gone before its addresses could be read."""
        return any(UNKNOWN in (x["client"], x["server"]) for x in self.connections.values())

    def unrecorded(self) -> dict[int, list[Count]]:
        """Return the counts of connections without a record; there should be none."""
        found: dict[int, list[Count]] = {}
        for (number, _), counts in self.counts.items():
            if number not in self.connections:
                found.setdefault(number, []).extend(counts.values())
        return found

    def moved(self, direction: str) -> list[tuple[str, Count]]:
        """Return (kind, count) of everything that went in or out."""
        there = (counts for (_, way), counts in self.counts.items() if way == direction)
        items = chain.from_iterable(counts.items() for counts in there)
        return [(kind, count) for (kind, _), count in items]


class Processes:
    """A peer's processes, from its journal line by line."""

    def __init__(self, peer: str) -> None:
        self._peer, self._found = peer, list[Process]()

    def take(self, line: Line) -> None:
        """Take in the next line."""
        starts = line["record"] == "started"
        if starts or not self._found:
            self._found.append(Process(self._peer, line["t_s"] if starts else 0.0))
        self._found[-1].take_in(line)

    def all(self) -> list[Process]:
        """Return them in order; at least one, which may have recorded nothing."""
        return self._found or [Process(self._peer, 0.0)]


def processes_of(run: RunFolder) -> dict[str, list[Process]]:
    """Return peer -> its processes."""
    found = {}
    for peer in run.peers:
        its = Processes(peer)
        for line in run.journals[peer]:
            its.take(line)
        found[peer] = its.all()
    return found
