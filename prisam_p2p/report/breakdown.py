"""The ledger summed up: by kind, link, round, peer, layer and host, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prisam_p2p.measure.traffic import ALWAYS_LISTED, KINDS
from prisam_p2p.report.counts import total
from prisam_p2p.report.ledger import Ledger, LedgerRow
from prisam_p2p.report.run_tables import Table
from prisam_p2p.wire.ethernet import SEGMENT_HEADER_BYTES

SUMMED = ("messages", "payload", "header", "framing", "stream", "wire")
RETRANSMITTED = "retransmitted"
"""The first layer beyond the stream."""
_SUMS = {**dict.fromkeys(SUMMED, "BIGINT"), "wire_share": "DOUBLE"}


def by_kind(ledger: Ledger) -> Table:
    """Return a row for each kind, in the order of KINDS; zeros for one that was not sent."""
    sums = dict.fromkeys(((kind,) for kind in ALWAYS_LISTED), (0,) * len(SUMMED))
    sums |= _grouped(ledger.rows, lambda row: (row.kind,))
    return _table("kind", {"kind": "VARCHAR"}, sums.items())


def by_link(ledger: Ledger) -> Table:
    """Return a row for each directed link, most bytes on the wire first."""
    sums = _grouped(ledger.rows, lambda row: (row.sender, row.receiver))
    order = sorted(sums.items(), key=lambda item: (-item[1][-1], item[0]))
    return _table("link", {"sender": "VARCHAR", "receiver": "VARCHAR"}, order)


def by_round(ledger: Ledger) -> Table:
    """Return a row for each round; -1: before the first announcement, handshakes, heartbeats."""
    sums = _grouped(ledger.rows, lambda row: (row.round,))
    return _table("round", {"round": "BIGINT"}, sorted(sums.items()))


def by_peer(ledger: Ledger) -> Table:
    """Return a row for each peer: bytes sent and received; the peer that sent most first."""
    out = _grouped(ledger.rows, lambda row: (row.sender,))
    into = _grouped(ledger.rows, lambda row: (row.receiver,))
    nothing = (0,) * len(SUMMED)
    peers = sorted({*out, *into}, key=lambda key: (-out.get(key, nothing)[-1], key))
    of_all = sum(sums[-1] for sums in out.values())
    rows = []
    for key in peers:
        sent, received = out.get(key, nothing), into.get(key, nothing)
        rows.append([*key, *sent, received[-2], received[-1], _share(sent[-1], of_all)])
    sent_columns = dict.fromkeys(SUMMED, "BIGINT")
    columns = {
        "peer": "VARCHAR",
        **sent_columns,
        "stream_in": "BIGINT",
        "wire_in": "BIGINT",
        "wire_share": "DOUBLE",
    }
    return Table("peer", columns, rows)


def by_host(ledger: Ledger) -> Table:
    """Return a row for each host and kind within it, and for each host to another; none without."""
    rows = [row for row in ledger.rows if row.sender_host or row.receiver_host]
    sums = _grouped(rows, lambda row: (row.sender_host, row.receiver_host, row.kind))
    order = sorted(sums.items(), key=lambda item: (item[0][:2], KINDS.index(item[0][2])))
    keys = dict.fromkeys(("sender_host", "receiver_host", "kind"), "VARCHAR")
    return _table("host", keys, order)


def within_and_across(ledger: Ledger) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return "within" and "across" hosts -> kind -> sums of SUMMED, of every kind."""
    sums = _grouped(ledger.rows, lambda row: (row.sender_host == row.receiver_host, row.kind))
    nothing = (0,) * len(SUMMED)
    return {
        where: {
            kind: sums.get((within, kind), nothing)
            for kind in KINDS
            if kind in ALWAYS_LISTED or (True, kind) in sums or (False, kind) in sums
        }
        for where, within in (("within", True), ("across", False))
    }


@dataclass(frozen=True)
class Layer:
    """Bytes of one layer of all connections between peers."""

    name: str
    n_bytes: int


def by_layer(ledger: Ledger) -> Table:
    """Return a row for each layer; together they are the wire. docs/ledger.md defines them."""
    layers = layers_of(ledger)
    whole = sum(layer.n_bytes for layer in layers)
    rows = [[layer.name, layer.n_bytes, _share(layer.n_bytes, whole)] for layer in layers]
    return Table("layer", {"layer": "VARCHAR", "bytes": "BIGINT", "wire_share": "DOUBLE"}, rows)


def layers_of(ledger: Ledger) -> list[Layer]:
    """Return the layers, innermost first; "cut off" only if a connection was cut."""
    entries = [entry for _, entry in ledger.entries]
    count = total(c for e in entries for c in e.explained.direction.counts.values())
    inner = [
        Layer("payload", count.payload),
        Layer("header", count.header),
        Layer("framing of messages", count.framing),
        Layer("handshakes", sum(e.explained.handshake for e in entries)),
        Layer("heartbeats", sum(e.explained.heartbeat_bytes for e in entries)),
    ]
    stream = sum(e.explained.stream for e in entries)
    again = sum(e.cost.retransmitted for e in entries)
    heads = SEGMENT_HEADER_BYTES * sum(e.cost.data_segments for e in entries)
    wire = sum(e.cost.bytes for e in entries)
    lost = Layer("cut off", stream - sum(layer.n_bytes for layer in inner))
    return [
        *inner,
        *([lost] if lost.n_bytes else []),
        Layer(RETRANSMITTED, again),
        Layer("heads of segments with data", heads),
        Layer("ACK, SYN, FIN", wire - stream - again - heads),
    ]


TABLES: dict[str, Callable[[Ledger], Table]] = {
    "kind": by_kind,
    "link": by_link,
    "round": by_round,
    "layer": by_layer,
    "peer": by_peer,
    "host": by_host,
}


def _grouped(
    rows: Iterable[LedgerRow], key: Callable[[LedgerRow], tuple[Any, ...]]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return key -> sums of SUMMED."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        at = sums.setdefault(key(row), [0] * len(SUMMED))
        for i, name in enumerate(SUMMED):
            at[i] += getattr(row, name)
    return {each: tuple(numbers) for each, numbers in sums.items()}


def _table(
    name: str,
    keys: dict[str, str],
    sums: Iterable[tuple[tuple[Any, ...], Sequence[int]]],
) -> Table:
    listed = list(sums)
    whole = sum(numbers[-1] for _, numbers in listed)
    rows = [[*key, *numbers, _share(numbers[-1], whole)] for key, numbers in listed]
    return Table(name, {**keys, **_SUMS}, rows)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
