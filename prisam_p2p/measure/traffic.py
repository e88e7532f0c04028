"""Bytes that a peer sent and received: by connection, kind and round.

payload = bits of masks, announced or relayed, or weight bytes; header = our frames around them;
framing = what ZMTP adds to the frames. The ledger adds the bytes of connections themselves
(handshake, heartbeats, TCP): docs/ledger.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prisam_p2p.wire.ethernet import segments
from prisam_p2p.wire.messages import Kind
from prisam_p2p.wire.zmtp import PLAIN, Mechanism

Direction = Literal["in", "out"]
Row = list[str | int]
"""[connection, direction, kind, round, messages, payload, header, framing, segments]."""

MASK, REQUEST, WEIGHTS, HELLO, CONTROL = "mask", "request", "weights", "hello", "control"
RELAY = "relay"
KINDS = (MASK, REQUEST, WEIGHTS, HELLO, CONTROL, RELAY)
ALWAYS_LISTED = KINDS[:-1]
"""Reports have these kinds even where none was sent; masks are relayed only if a run says so."""
_CARRIES = {
    Kind.MASK: MASK,
    Kind.WEIGHTS_REQUEST: REQUEST,
    Kind.CHUNK_REQUEST: REQUEST,
    Kind.WEIGHTS_OFFER: WEIGHTS,
    Kind.CHUNK: WEIGHTS,
    Kind.HELLO: HELLO,
    Kind.WELCOME: HELLO,
    Kind.REFUSE: HELLO,
    Kind.RELAYED_MASK: RELAY,
    Kind.MASK_DIGEST: RELAY,
    Kind.MASK_WANTED: RELAY,
}
_WITH_PAYLOAD = frozenset({Kind.MASK, Kind.CHUNK, Kind.RELAYED_MASK})

BEFORE_ROUNDS = -1


@dataclass(slots=True)
class Count:
    """Messages, their bytes, and the fewest segments of 1448 bytes that carry them."""

    messages: int = 0
    payload: int = 0
    header: int = 0
    framing: int = 0
    segments: int = 0


class TrafficCounter:
    """Counts of one peer. One thread adds; another may read.

    Args:
        mechanism: of all its connections.

    Attributes:
        round_index: counts go to this round; -1 before the first announcement.
        payload: direction -> bytes of payload so far.
    """

    def __init__(self, mechanism: Mechanism = PLAIN) -> None:
        self._framing = mechanism.framing
        self.round_index = BEFORE_ROUNDS
        self.payload: dict[Direction, int] = {"in": 0, "out": 0}
        self._counts: defaultdict[tuple[int, str, str, int], Count] = defaultdict(Count)
        self._written: dict[tuple[int, str, str, int], int] = {}

    def add(
        self, connection: int, direction: Direction, kind: Kind | None, sizes: Sequence[int]
    ) -> None:
        """Count one message of frames of `sizes` bytes; kind None = no message of ours."""
        carried = _CARRIES.get(kind, CONTROL) if kind else CONTROL
        own, added = sum(sizes), self._framing(sizes)
        payload = own - sizes[0] if kind in _WITH_PAYLOAD else 0
        count = self._counts[connection, direction, carried, self.round_index]
        count.payload += payload
        self.payload[direction] += payload
        count.header += own - payload
        count.framing += added
        count.segments += segments(own + added)
        count.messages += 1  # last, so that a reader that comes before still sees a change

    def changed_rows(self) -> list[Row]:
        """Return the rows (`Row`) that changed since the last call: cumulative counts, sorted."""
        rows: list[Row] = []
        for key, count in sorted(self._counts.copy().items()):
            messages = count.messages  # first, so that what is added from now on gives another row
            if self._written.get(key) != messages:
                self._written[key] = messages
                numbers = (messages, count.payload, count.header, count.framing)
                rows.append([*key, *numbers, count.segments])
        return rows

    def bytes_out(self) -> int:
        """Return payload and header bytes that were handed over so far."""
        return sum(
            count.payload + count.header
            for (_, direction, _, _), count in self._counts.copy().items()
            if direction == "out"
        )
