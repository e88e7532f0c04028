"""Where messages wait that a policy delays or holds, and what is left of one that it damages.

Pure: time comes in as a number. A message dies with the connection that it was on its way by, as
it would in a network.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.message_faults import Decision
from prisam_p2p.transport.message_rule import Way
from prisam_p2p.wire.codec import Frame, encode, kind_of
from prisam_p2p.wire.messages import Chunk, Kind, Message, WeightsOffer


@dataclass(eq=False)
class _Waiting:
    """A message on a detour.

    Attributes:
        go: sends it on.
        held: by these rules; it goes `delay_s` after the last of them let it go.
        in_order: what follows on its connection must not overtake it once it is let go.
    """

    go: Callable[[], object]
    way: Way
    connection: TcpConnection
    held: set[str]
    delay_s: float
    in_order: bool


class Detour:
    """Messages that wait, and let none overtake them that must not."""

    def __init__(self) -> None:
        self._held: list[_Waiting] = []
        self._due: list[tuple[float, int, _Waiting]] = []
        self._count = itertools.count()
        self._in_order: Counter[tuple[Way, int]] = Counter()
        self._last_due_s: dict[tuple[Way, int], float] = {}

    def __bool__(self) -> bool:
        return bool(self._held or self._due)

    def is_free(self, way: Way, connection: TcpConnection) -> bool:
        """Tell whether nothing waits that a message must not overtake."""
        return not self._in_order[way, connection.number]

    def add(
        self,
        way: Way,
        connection: TcpConnection,
        decision: Decision,
        go: Callable[[], object],
        now_s: float,
    ) -> None:
        """Have a message wait as `decision` says, and behind those that it must not overtake."""
        in_order = decision.in_order or not decision.delay_s
        for _ in range(decision.copies):
            held, delay_s = set(decision.held), decision.delay_s
            waiting = _Waiting(go, way, connection, held, delay_s, in_order)
            if held:
                self._held.append(waiting)
            else:
                self._schedule(waiting, now_s + delay_s)

    def overtaken(
        self, way: Way, connection: TcpConnection, decision: Decision, now_s: float
    ) -> None:
        """Let go what waited for the message of `decision`: it goes after that one."""
        for rule_id in decision.frees:
            freed = [w for w in self._held if w.way == way and w.connection is connection]
            self._let_go(rule_id, freed, now_s + decision.delay_s)

    def release(self, rule_id: str, now_s: float) -> None:
        """Let go what a rule holds, in the order in which it came."""
        self._let_go(rule_id, list(self._held), now_s)

    def go_on(self, now_s: float) -> None:
        """Send on what is due."""
        while self._due and self._due[0][0] <= now_s:
            waiting = heapq.heappop(self._due)[2]
            self._in_order[waiting.way, waiting.connection.number] -= waiting.in_order
            if not waiting.connection.gone:
                waiting.go()

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `go_on` has something to do; None = never."""
        return max(0.0, self._due[0][0] - now_s) if self._due else None

    def _let_go(self, rule_id: str, candidates: list[_Waiting], from_s: float) -> None:
        for waiting in candidates:
            if rule_id in waiting.held:
                waiting.held.discard(rule_id)
                if not waiting.held:
                    self._held.remove(waiting)
                    self._schedule(waiting, from_s + waiting.delay_s)

    def _schedule(self, waiting: _Waiting, due_s: float) -> None:
        line = (waiting.way, waiting.connection.number)
        if self._in_order[line]:
            due_s = max(due_s, self._last_due_s[line])
        if waiting.in_order:
            self._in_order[line] += 1
            self._last_due_s[line] = due_s
        heapq.heappush(self._due, (due_s, next(self._count), waiting))


def damaged(message: Message) -> tuple[list[Frame], Kind | None]:
    """Return the frames of `message` with a byte flipped, and the kind it still passes for.

    Of weights and their offer it is the first bit of what comes after the header: their digest
    will not fit. Nothing covers the bits of a mask sent whole, so of all others it is the first
    byte of the header, and no message any more.
    """
    header, *bulk = encode(message)
    if isinstance(message, Chunk | WeightsOffer):
        bits = bytearray(bulk[0])
        bits[0] ^= 0x80
        return [header, bytes(bits)], kind_of(message)
    return [bytes([header[0] ^ 0xFF, *header[1:]]), *bulk], None
