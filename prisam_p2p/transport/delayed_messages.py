"""Messages that rules delay or hold, until they may go on. Pure: time comes in as a number.

A delayed message is lost with its connection, as it would be in a network.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from prisam_p2p.control.message_rule import Way
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.message_faults import Decision


@dataclass(eq=False)
class _Delayed:
    """A delayed message.

    Attributes:
        go: sends the message, or hands it in.
        held: ids of the rules that hold it; it goes on `delay_s` after the last one releases it.
        in_order: later messages of its connection must not overtake it once it is released.
    """

    go: Callable[[], object]
    way: Way
    connection: TcpConnection
    held: set[str]
    delay_s: float
    in_order: bool


class DelayedMessages:
    """The delayed messages of one peer, in both directions."""

    def __init__(self) -> None:
        self._held: list[_Delayed] = []
        self._due: list[tuple[float, int, _Delayed]] = []
        self._count = itertools.count()
        self._in_order: Counter[tuple[Way, int]] = Counter()
        self._last_due_s: dict[tuple[Way, int], float] = {}

    def __bool__(self) -> bool:
        return bool(self._held or self._due)

    def is_free(self, way: Way, connection: TcpConnection) -> bool:
        """Tell whether a message may pass at once: it overtakes none that is kept in order."""
        return not self._in_order[way, connection.number]

    def add(
        self,
        way: Way,
        connection: TcpConnection,
        decision: Decision,
        go: Callable[[], object],
        now_s: float,
    ) -> None:
        """Delay a message as `decision` says, and behind those that it must not overtake."""
        in_order = decision.in_order or not decision.delay_s
        for _ in range(decision.copies):
            held, delay_s = set(decision.held), decision.delay_s
            waiting = _Delayed(go, way, connection, held, delay_s, in_order)
            if held:
                self._held.append(waiting)
            else:
                self._schedule(waiting, now_s + delay_s)

    def overtaken(
        self, way: Way, connection: TcpConnection, decision: Decision, now_s: float
    ) -> None:
        """Release the messages that were to go after the message of `decision`."""
        for rule_id in decision.frees:
            freed = [w for w in self._held if w.way == way and w.connection is connection]
            self._let_go(rule_id, freed, now_s + decision.delay_s)

    def release(self, rule_id: str, now_s: float) -> None:
        """Release what a rule holds, in the order of arrival."""
        self._let_go(rule_id, list(self._held), now_s)

    def go_on(self, now_s: float) -> None:
        """Send the messages that are due."""
        while self._due and self._due[0][0] <= now_s:
            waiting = heapq.heappop(self._due)[2]
            self._in_order[waiting.way, waiting.connection.number] -= waiting.in_order
            if not waiting.connection.gone:
                waiting.go()

    def next_s(self, now_s: float) -> float | None:
        """Return the seconds until the next message is due; None = no message is scheduled."""
        return max(0.0, self._due[0][0] - now_s) if self._due else None

    def _let_go(self, rule_id: str, candidates: list[_Delayed], from_s: float) -> None:
        for waiting in candidates:
            if rule_id in waiting.held:
                waiting.held.discard(rule_id)
                if not waiting.held:
                    self._held.remove(waiting)
                    self._schedule(waiting, from_s + waiting.delay_s)

    def _schedule(self, waiting: _Delayed, due_s: float) -> None:
        line = (waiting.way, waiting.connection.number)
        if self._in_order[line]:
            due_s = max(due_s, self._last_due_s[line])
        if waiting.in_order:
            self._in_order[line] += 1
            self._last_due_s[line] = due_s
        heapq.heappush(self._due, (due_s, next(self._count), waiting))
