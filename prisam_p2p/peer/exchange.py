"""What both sides of a transport share: frames in and out are read, counted, or turned away.

Everything passes `send` and `hand_in`: there a policy, where one is set, loses, delays or damages
it. Counted is what was handed to ZeroMQ and what was taken from it: what the policy loses on its
way out is not, what it loses on its way in is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue

import zmq

from prisam_p2p.errors import WireError
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.peer import events
from prisam_p2p.peer.connections import Connection
from prisam_p2p.peer.detour import Detour
from prisam_p2p.peer.policy import Policy
from prisam_p2p.peer.policy_rule import Rule, Way
from prisam_p2p.wire.codec import Frame, decode, encode, kind_of
from prisam_p2p.wire.messages import Chunk, Kind, Message, WeightsOffer

Put = Callable[[list[Frame]], bool]
"""Hands frames to ZeroMQ; False where it does not take them."""


class Exchange:
    """Reads, hands over and counts. For the transport's thread.

    Args:
        inbox: where events go.
        policy: what becomes of messages on their way.
    """

    def __init__(
        self, inbox: SimpleQueue[events.Event], traffic: TrafficCounter, policy: Policy
    ) -> None:
        self._inbox, self._traffic = inbox, traffic
        self._policy, self._detour, self._policed = policy, Detour(), False

    def read(self, connection: Connection, sender: str, frames: Sequence[zmq.Frame]) -> Message:
        """Return the message in `frames`, counted in any case.

        Raises:
            WireError: it is none; the loop was told that it was turned away.
        """
        sizes = [len(frame) for frame in frames]
        try:
            message = decode([frame.buffer for frame in frames])
        except WireError as error:
            self._traffic.add(connection.number, "in", None, sizes)
            self.turn_away(sender, "malformed", str(error))
            raise
        self._traffic.add(connection.number, "in", kind_of(message), sizes)
        return message

    def hand_in(
        self,
        connection: Connection,
        sender: str,
        message: Message,
        handle: Callable[[Message], None],
    ) -> None:
        """Have `handle` take a message that was read."""
        if not self._policed:
            handle(message)
            return
        intact, damaged = partial(handle, message), partial(self._hand_in, sender, message, handle)
        self._pass("in", connection, sender, message, intact, damaged)

    def send(self, connection: Connection, to: str, message: Message, put: Put) -> bool:
        """Hand `message` to ZeroMQ and count it; False where it is not taken."""
        if not self._policed:
            return self._send(connection, message, put)
        intact = partial(self._send, connection, message, put)
        damaged = partial(self._send, connection, message, put, damage=True)
        return self._pass("out", connection, to, message, intact, damaged) is not False

    def set_rule(self, rule: Rule) -> None:
        """Add a rule to the policy, in place of the one with its id."""
        self.remove_rule(rule.id)
        self._policy.add(rule)
        self._policed = True

    def remove_rule(self, rule_id: str) -> tuple[int, int]:
        """Remove a rule, let go what it holds, return how often it (matched, acted)."""
        counts, now_s = self._policy.remove(rule_id), time.monotonic()
        self._detour.release(rule_id, now_s)
        self.keep_time(now_s)
        return counts

    def keep_time(self, now_s: float) -> None:
        """Send on what has waited long enough."""
        if self._policed:
            self._detour.go_on(now_s)
            self._policed = bool(self._policy or self._detour)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `keep_time` has something to do; None = never."""
        return self._detour.next_s(now_s)

    def turn_away(self, sender: str, verdict: str, reason: str) -> None:
        """Tell that a message was not accepted."""
        self._inbox.put(events.TurnedAway(sender, verdict, reason))

    def tell(self, event: events.Event) -> None:
        """Put an event into the inbox."""
        self._inbox.put(event)

    def _pass(
        self,
        way: Way,
        connection: Connection,
        who: str,
        message: Message,
        intact: Callable[[], bool | None],
        damaged: Callable[[], bool | None],
    ) -> bool | None:
        """Do with a message what the policy says; return what came of it if it passed at once."""
        neighbor, now_s = who.rpartition(":")[2], time.monotonic()  # a routing id is c:b for b
        decision = self._policy.decide(way, neighbor, kind_of(message))
        touched = decision.rules or decision.frees
        if not touched and self._detour.is_free(way, connection, now_s):
            return intact()
        go = damaged if decision.corrupt else intact
        self._detour.add(way, connection, decision, go, now_s)
        self._detour.go_on(now_s)
        return None

    def _send(
        self, connection: Connection, message: Message, put: Put, damage: bool = False
    ) -> bool:
        frames, kind = _damaged(message) if damage else (encode(message), kind_of(message))
        if not put(frames):
            return False
        self._traffic.add(connection.number, "out", kind, [len(frame) for frame in frames])
        return True

    def _hand_in(self, sender: str, message: Message, handle: Callable[[Message], None]) -> None:
        """Hand in what is left of a message once a byte of it was flipped."""
        try:
            handle(decode(_damaged(message)[0]))
        except WireError as error:
            self.turn_away(sender, "malformed", str(error))


def _damaged(message: Message) -> tuple[list[Frame], Kind | None]:
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
