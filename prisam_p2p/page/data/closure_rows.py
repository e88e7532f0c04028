"""From the payload to the wire, step by step, beside what the kernel counted."""

from __future__ import annotations

from collections.abc import Iterable

from prisam_p2p.report.breakdown import RETRANSMITTED, layers_of
from prisam_p2p.report.explanation import KERNEL
from prisam_p2p.report.ledger import Ledger

PART, SUM = "part", "sum"
Row = tuple[str, int, int | None, str]
"""Label, bytes, the kernel's figure (None: it gave none), and whether it adds or sums up."""


def closure_rows(ledger: Ledger) -> list[Row]:
    """Return the layers in the order of `prisam bytes`, with the sums `stream` and `wire`."""
    layers = layers_of(ledger)
    inner = [each.name for each in layers].index(RETRANSMITTED)
    entries = [entry for _, entry in ledger.entries]
    explained = [entry.explained for entry in entries]
    stream = sum(each.stream for each in explained)
    all_counted = all(entry.cost.source == KERNEL for entry in entries)
    rows: list[Row] = [(each.name, each.n_bytes, None, PART) for each in layers[:inner]]
    seen = [each.stream for each in explained if each.source == KERNEL]
    rows.append(("stream", stream, _known(seen), SUM))
    again = [x.cost.retransmitted for x in entries if x.explained.source == KERNEL]
    rows.append((RETRANSMITTED, layers[inner].n_bytes, _known(again), PART))
    for each in layers[inner + 1 :]:
        rows.append((each.name, each.n_bytes, each.n_bytes if all_counted else None, PART))
    wire = sum(entry.cost.bytes for entry in entries)
    rows.append(("wire", wire, wire if all_counted and entries else None, SUM))
    return rows


def _known(figures: Iterable[int]) -> int | None:
    found = list(figures)
    return sum(found) if found else None
