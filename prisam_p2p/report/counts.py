"""Sums of a peer's counts: messages, and the layers of their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prisam_p2p.measure.traffic import ALWAYS_LISTED, KINDS, Count

Key = tuple[str, int]
"""(kind, round)."""

Counts = Mapping[Key, Count]
NOTHING: Counts = {}


def stream_bytes(count: Count) -> int:
    """Return the bytes that messages put into a connection's stream."""
    return count.payload + count.header + count.framing


def total(counts: Iterable[Count]) -> Count:
    """Return the sum."""
    result = Count()
    for each in counts:
        result.messages += each.messages
        result.payload += each.payload
        result.header += each.header
        result.framing += each.framing
        result.segments += each.segments
    return result


def by_kind(counts: Iterable[tuple[str, Count]]) -> dict[str, Count]:
    """Return kind -> sum, of every kind that is always listed, or was sent."""
    sums = _by_kind(counts)
    return {k: sums[k] for k in KINDS if k in ALWAYS_LISTED or sums[k].messages}


def _by_kind(counts: Iterable[tuple[str, Count]]) -> dict[str, Count]:
    sorted_out: dict[str, list[Count]] = {kind: [] for kind in KINDS}
    for kind, count in counts:
        sorted_out[kind].append(count)
    return {kind: total(each) for kind, each in sorted_out.items()}


def stream_by_kind(counts: Counts) -> dict[str, int]:
    """Return kind -> stream bytes, of every kind."""
    sums = _by_kind((kind, count) for (kind, _), count in counts.items())
    return {kind: stream_bytes(count) for kind, count in sums.items()}
