"""What other protocols would have sent in this run, and what discovery by masks saves.

Their bytes are computed, not measured: weights in chunks as in the run, on an open connection, each
chunk with its header and framing, in full segments, one ACK for two of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from prisam_p2p.measure.traffic import MASK
from prisam_p2p.report.ledger import Ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.wire import ethernet
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import DIGEST_BYTES, Chunk
from prisam_p2p.wire.zmtp import PLAIN, Mechanism


@dataclass(frozen=True)
class Sent:
    """Bytes of the payload, and on the wire, ACKs of the other direction included."""

    payload: int
    wire: int


def transfer(n_bytes: int, chunk_bytes: int, mechanism: Mechanism = PLAIN) -> Sent:
    """Return the bytes of `n_bytes` of weights in chunks of `chunk_bytes`, without requests."""
    stream = sum(
        _chunk_stream(min(chunk_bytes, n_bytes - offset), offset, mechanism)
        for offset in range(0, n_bytes, chunk_bytes)
    )
    data = ethernet.segments(stream)
    return Sent(n_bytes, ethernet.wire_bytes(stream, 0, data, ethernet.acks(0, data, bulk=True)))


def compare_protocols(run: RunFolder, ledger: Ledger) -> dict[str, Any]:
    """Return the comparisons of `prisam bytes` (docs/ledger.md). Ratios are null without masks.

    push_everything: every peer's snapshot to every neighbor that its mask reached, every round;
    beside all bytes of the run. exact_similarity: the dense weights instead, to find similar
    neighbors; beside the masks. discovery: one dense model beside the mean mask.
    """
    chunk_bytes = run.plan["settings"]["chunk_kib"] * 1024
    mechanism = _mechanism(ledger)
    dense = transfer(run.plan["model"]["n_bytes"], chunk_bytes, mechanism)
    everything = Sent(sum(r.payload for r in ledger.rows), sum(r.wire for r in ledger.rows))
    masks = [row for row in ledger.rows if row.kind == MASK]
    if not any(row.payload for row in masks):  # announcements of an algorithm that has none
        masks = []
    n_masks = sum(row.messages for row in masks)
    of_masks = Sent(sum(r.payload for r in masks), sum(r.wire for r in masks))
    snapshots = _announced(run)
    pushed = _sum(snapshots, chunk_bytes, mechanism)
    copies = snapshots.total()
    exact = Sent(dense.payload * copies, dense.wire * copies)
    return {
        "this_run": {"payload": everything.payload, "wire": everything.wire},
        "push_everything": _beside(pushed, everything),
        "exact_similarity": _beside(exact, of_masks),
        "discovery": {
            "dense_payload": dense.payload,
            "dense_wire": dense.wire,
            "masks": n_masks,
            "mean_mask_payload": _ratio(of_masks.payload, n_masks),
            "mean_mask_wire": _ratio(of_masks.wire, n_masks),
            "payload_ratio": _ratio(dense.payload * n_masks, of_masks.payload),
            "wire_ratio": _ratio(dense.wire * n_masks, of_masks.wire),
        },
    }


def push_everything_by_round(run: RunFolder, ledger: Ledger) -> dict[int, Sent]:
    """Return round -> what a push of every snapshot to every neighbor would have sent in it.

    They add up to `push_everything` of `compare_protocols`.
    """
    chunk_bytes = run.plan["settings"]["chunk_kib"] * 1024
    mechanism = _mechanism(ledger)
    return {
        at: _sum(copies, chunk_bytes, mechanism)
        for at, copies in sorted(_announced_by_round(run).items())
    }


def _mechanism(ledger: Ledger) -> Mechanism:
    return next((c.mechanism for c, _ in ledger.connections), PLAIN)


def _announced(run: RunFolder) -> Counter[int]:
    """Return bytes of a snapshot -> number of copies that a push to neighbors would have sent."""
    return sum(_announced_by_round(run).values(), Counter())


def _announced_by_round(run: RunFolder) -> dict[int, Counter[int]]:
    """Return round -> bytes of a snapshot -> copies that a push would have sent in it."""
    found: dict[int, Counter[int]] = {}
    for peer in run.peers:
        for line in run.records(peer, "announced"):
            copies = found.setdefault(line["round"], Counter())
            copies[line["n_bytes"]] += len(line["reached"])
    return found


def _sum(snapshots: Counter[int], chunk_bytes: int, mechanism: Mechanism) -> Sent:
    each = [
        (_transfer(n_bytes, chunk_bytes, mechanism), copies)
        for n_bytes, copies in snapshots.items()
    ]
    return Sent(sum(s.payload * n for s, n in each), sum(s.wire * n for s, n in each))


def _beside(other: Sent, ours: Sent) -> dict[str, float | int | None]:
    return {
        "payload": other.payload,
        "wire": other.wire,
        "times_payload": _ratio(other.payload, ours.payload),
        "times_wire": _ratio(other.wire, ours.wire),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


_transfer = cache(transfer)


@cache
def _chunk_stream(n_bytes: int, offset: int, mechanism: Mechanism) -> int:
    """Return the stream bytes of one chunk: header, weights, framing."""
    header = len(encode(Chunk(bytes(DIGEST_BYTES), offset, b"\0"))[0])
    return header + n_bytes + mechanism.framing([header, n_bytes])
