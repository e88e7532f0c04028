"""Run folders made by hand: three peers, their connections, and what the kernel would tell.

A connection's figures follow from what is said of it, so that a test changes one of them and
nothing else. A handshake has 107 bytes each way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prisam_p2p.report.run_folder import RunFolder

PEERS = ("p01", "p02", "p03")
HANDSHAKE = 107
PING, PONG = 9, 7
CHUNK = 256 * 1024

Figures = tuple[int, int, int, int, int]
"""Messages, payload, header, framing, segments."""


def plan(**settings: object) -> dict:
    """Return a plan of three peers in a triangle; the dense model has 600,000 bytes."""
    profile = {
        "name": "fast",
        "speed": None,
        "memory_mib": None,
        "storage_mib": None,
        "storage_share": None,
        "macs": None,
        "macs_share": None,
        "up_mbit_s": None,
        "down_mbit_s": None,
    }
    return {
        "topology": "triangle",
        "settings": {
            "algorithm": "prisam",
            "seed": 5,
            "rounds": 2,
            "chunk_kib": CHUNK // 1024,
            **settings,
        },
        "model": {"n_bytes": 600_000, "macs": 8000, "parameters": 150_000},
        "peers": {
            peer: {
                "profile": profile,
                "prune_ratio": 0.3,
                "group": 0 if peer < "p03" else 1,
                "n_bytes": 300_000,
                "macs": 4000,
                "neighbors": [other for other in PEERS if other != peer],
            }
            for peer in PEERS
        },
    }


@dataclass
class Half:
    """One direction: the counts of both ends, and what the kernel saw.

    Attributes:
        extra: stream bytes beside messages and handshake (heartbeats, torn parts), or missing.
        lost: sent, not received.
        fin: the receiver saw the sender's FIN.
        handshake: None = a whole one.
        dropped: counted as sent, but dropped by the sender's own queue and sent again as new.
    """

    sent: dict[tuple[str, int], Figures] = field(default_factory=dict)
    received: dict[tuple[str, int], Figures] = field(default_factory=dict)
    extra: int = 0
    lost: int = 0
    fin: bool = False
    handshake: int | None = None
    retransmitted: int = 0
    dropped: int = 0
    basis: str = "sent"

    def both(self, kind: str, at: int, figures: Figures) -> None:
        """Count messages of a kind in a round at both ends."""
        self.sent[kind, at] = self.received[kind, at] = figures


@dataclass
class HandConnection:
    """A connection between two peers; `there` is client to server."""

    client: str
    server: str
    channel: str
    port: int
    heartbeat_ms: int = 0
    there: Half = field(default_factory=Half)
    back: Half = field(default_factory=Half)
    began_s: float = 1.0
    ended_s: float = 11.0
    recorded_by: tuple[str, ...] = ("client", "server")
    told_by: tuple[str, ...] = ("client", "server")
    source: str = "destroyed"
    stranger: bool = False
    cookies: tuple[int, int] | None = None
    at: tuple[str, str] | None = None

    @property
    def addresses(self) -> tuple[str, str]:
        """Client's and server's: `at` if that is given, else each peer has one of its own."""
        alone = f"127.1.0.{self.client[-1]}:{self.port}", f"127.1.0.{self.server[-1]}:5555"
        return self.at or alone

    def streams(self) -> tuple[int, int]:
        """Stream bytes there and back."""
        halves = (("client", self.there), ("server", self.back))
        return tuple(_stream(half, side) for side, half in halves)

    def kernel(self) -> Iterator[dict]:
        """Yield the kernel's lines: two segments for the handshake, one for each message."""
        (there, back), addresses = self.streams(), self.addresses
        halves = {"client": (self.there, self.back), "server": (self.back, self.there)}
        sizes = {"client": (there, back), "server": (back, there)}
        for side in self.told_by:
            (out, into), (sent, came) = halves[side], sizes[side]
            local, remote = addresses if side == "client" else addresses[::-1]
            data = 2 + sum(figures[0] for figures in out.sent.values())
            data += -(-out.dropped // 1448)
            yield {
                "t_s": self.ended_s,
                "record": "socket",
                "local": local,
                "remote": remote,
                "source": self.source,
                "sent": sent + out.retransmitted + out.dropped,
                "retransmitted": out.retransmitted,
                "received": came - into.lost + int(into.fin),
                "segs_out": data + 5,
                "segs_in": 0,
                "data_segs_out": data,
                "data_segs_in": 0,
                "state": "CLOSE",
                **_cookie(self, side),
                "bytes_acked": sent - out.lost + int(out.fin) + int(side == "client"),
                "unacked": out.lost,
            }


def _stream(half: Half, side: str) -> int:
    shake = HANDSHAKE if half.handshake is None else half.handshake
    counts = half.sent if half.basis == "sent" else half.received
    return shake + sum(p + h + f for _, p, h, f, _ in counts.values()) + half.extra


@dataclass
class HandRun:
    """A run: what each peer wrote, and the kernel."""

    connections: list[HandConnection] = field(default_factory=list)
    killed: tuple[str, ...] = ()
    watched: bool = True
    mtu: int | None = None
    records: dict[str, list[dict]] = field(default_factory=dict)
    kernel: list[dict] = field(default_factory=list)

    def connect(self, client: str, server: str, channel: str, **more: object) -> HandConnection:
        """Add a connection."""
        port = 40_000 + len(self.connections)
        made = HandConnection(client, server, channel, **{"port": port, **more})
        self.connections.append(made)
        return made

    def write(self, folder: Path) -> RunFolder:
        """Write plan and journals."""
        (folder / "journal").mkdir()
        (folder / "plan.json").write_text(json.dumps(self.plan()))
        for peer in PEERS:
            lines = [*self._journal(peer), *self.records.get(peer, [])]
            lines += [] if peer in self.killed else [self._traffic(peer, True)]
            write_journal(folder, peer, lines)
        for name, lines in self.kernels().items():
            write_journal(folder, name, lines)
        return RunFolder(folder)

    def plan(self) -> dict:
        """The run's plan.json."""
        return plan()

    def kernels(self) -> dict[str, list[dict]]:
        """Journal -> what a kernel counted."""
        kernel = [line for c in self.connections for line in c.kernel()] + self.kernel
        watch = {"t_s": 20.0, "record": "watch", "available": self.watched, "reason": ""}
        watch |= {"mtu": self.mtu} if self.mtu else {}
        watch |= {"overruns": 0, "cpu_s": 0.01}
        return {"kernel": [*(kernel if self.watched else []), watch]}

    def _journal(self, peer: str) -> Iterator[dict]:
        yield {"t_s": 0.5, "record": "started", "peer": peer, "pid": 1, "incarnation": 0}
        for number, connection in enumerate(self.connections):
            for side in connection.recorded_by:
                if getattr(connection, side) == peer:
                    yield _record(connection, number, side)
        yield self._traffic(peer, False)

    def _traffic(self, peer: str, final: bool) -> dict:
        rows = []
        for number, connection in enumerate(self.connections):
            for side in connection.recorded_by:
                if getattr(connection, side) == peer:
                    out, into = connection.there, connection.back
                    if side == "server":
                        out, into = into, out
                    rows += [[number, "out", *key, *n] for key, n in out.sent.items()]
                    rows += [[number, "in", *key, *n] for key, n in into.received.items()]
        return {"t_s": 10.0, "record": "traffic", "round": 1, "final": final, "rows": rows}


def _record(connection: HandConnection, number: int, side: str) -> dict:
    client, server = connection.addresses
    other = connection.server if side == "client" else connection.client
    return {
        "t_s": connection.began_s,
        "record": "connection",
        "connection": number,
        "side": side,
        "client": client,
        "server": server,
        "neighbor": "" if connection.stranger else other,
        "channel": connection.channel,
        "heartbeat_ms": connection.heartbeat_ms,
        "security": "plain",
        **_cookie(connection, side),
    }


def _cookie(connection: HandConnection, side: str) -> dict[str, int]:
    """The kernel's number of a socket, which journals of earlier releases lack."""
    if connection.cookies is None:
        return {}
    return {"cookie": connection.cookies[side == "server"]}


def write_journal(folder: Path, name: str, lines: list[dict]) -> None:
    """Write a journal of a run folder."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "journal" / f"{name}.jsonl").write_text(text)


def orderly() -> HandRun:
    """A run that ended in order: p02 hears p01's masks and pulls its weights; p03 hears p01's.

    Streams by hand: control p02 -> p01: 107 + hello 57 + 9 PINGs 81 = 245, back: 107 + welcome 6
    + 2 masks of 44 + 7 + 4 = 110 + 9 PONGs 63 = 286. Bulk p02 -> p01: 107 + 57 + request 6 + 2 *
    33 = 236, back: 107 + 6 + 2 chunks 300,000 + 52 + 22 = 300,187. Control p03 -> p01: 107 + 57 =
    164, back 107 + 6 + 55 = 168.
    """
    run = HandRun()
    control = run.connect("p02", "p01", "control", heartbeat_ms=1000)
    control.there.both("hello", -1, (1, 0, 55, 2, 1))
    control.there.extra = 9 * PING
    control.back.both("hello", -1, (1, 0, 4, 2, 1))
    control.back.both("mask", 0, (1, 44, 7, 4, 1))
    control.back.both("mask", 1, (1, 44, 7, 4, 1))
    control.back.extra = 9 * PONG
    control.there.fin = control.back.fin = True
    bulk = run.connect("p02", "p01", "bulk")
    bulk.there.both("hello", 0, (1, 0, 55, 2, 1))
    bulk.there.both("request", 0, (3, 0, 66, 6, 3))
    bulk.back.both("hello", 0, (1, 0, 4, 2, 1))
    bulk.back.both("weights", 0, (2, 300_000, 52, 22, 208))
    bulk.back.fin = True
    third = run.connect("p03", "p01", "control", heartbeat_ms=1000)
    third.there.both("hello", -1, (1, 0, 55, 2, 1))
    third.back.both("hello", -1, (1, 0, 4, 2, 1))
    third.back.both("mask", 0, (1, 44, 7, 4, 1))
    return run


def announced(run: HandRun) -> HandRun:
    """Add what the comparisons ask for: p01 announced 300,000 bytes to both, p02 to p01 once."""
    one = {"t_s": 3.0, "record": "announced", "round": 0, "n_bytes": 300_000, "unreachable": []}
    run.records["p01"] = [{**one, "reached": ["p02", "p03"]}]
    run.records["p02"] = [{**one, "n_bytes": 200_000, "reached": ["p01"], "unreachable": ["p03"]}]
    return run
