"""Bytes that a peer handed to, and took from, the transport: per neighbor and message kind.

payload = mask bits or weight bytes; header = our frames around them. A control message has no
payload: all of it is header. ZMTP framing and TCP are not counted here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from prisam_p2p.wire.messages import Kind

MASK, WEIGHTS, CONTROL = "mask", "weights", "control"
KINDS = (MASK, WEIGHTS, CONTROL)
_CARRIES = {Kind.MASK: MASK, Kind.CHUNK: WEIGHTS}


@dataclass(slots=True)
class Count:
    """Messages and their bytes."""

    messages: int = 0
    payload: int = 0
    header: int = 0

    def add(self, other: Count) -> None:
        """Add `other` in place."""
        self.messages += other.messages
        self.payload += other.payload
        self.header += other.header


class TrafficCounter:
    """Counts of one peer, by (direction "in" or "out", neighbor, kind)."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str, str], Count] = defaultdict(Count)

    def add(self, direction: str, neighbor: str, kind: Kind, sizes: Sequence[int]) -> None:
        """Count one message of frames of `sizes` bytes."""
        carried = _CARRIES.get(kind, CONTROL)
        payload = sum(sizes[1:]) if carried != CONTROL else 0
        self._counts[direction, neighbor, carried].add(Count(1, payload, sum(sizes) - payload))

    def rows(self) -> list[list[str | int]]:
        """Return [direction, neighbor, kind, messages, payload, header] rows, sorted."""
        return [
            [*key, count.messages, count.payload, count.header]
            for key, count in sorted(self._counts.copy().items())
        ]


def total(rows: Sequence[Sequence[str | int]], direction: str) -> dict[str, dict[str, int]]:
    """Return kind -> {messages, payload, header}, summed over the neighbors of one direction."""
    sums = {kind: Count() for kind in KINDS}
    for row_direction, _, kind, messages, payload, header in rows:
        if row_direction == direction:
            sums[str(kind)].add(Count(int(messages), int(payload), int(header)))
    return {
        kind: {"messages": c.messages, "payload": c.payload, "header": c.header}
        for kind, c in sums.items()
    }
