"""Exchanges that put other messages on the wire than the transport hands them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgpack

from prisam_p2p.byzantine.corruptions import Tally
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.messenger import Messenger, Put
from prisam_p2p.wire.codec import WIRE_VERSION, encode
from prisam_p2p.wire.messages import Chunk, Hello, Message, Unavailable, WeightsOffer


class LyingMessenger(Messenger):
    """Sends what `said` makes of a message; here: the message.

    Args:
        tally: counts each message that is a lie.
        given: what a Messenger is made of.
    """

    def __init__(self, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._tally = tally

    def send(self, connection: TcpConnection, to: str, message: Message, put: Put) -> bool:
        """See Messenger."""
        said = self.said(to, message)
        sent = super().send(connection, to, said, put)
        if sent and said is not message:
            self._tally.add()
        return sent

    def said(self, _to: str, message: Message) -> Message:
        """Return what is to be sent in place of `message`."""
        return message


class Refusing(LyingMessenger):
    """Offers nobody its weights."""

    def said(self, _to: str, message: Message) -> Message:
        """See LyingMessenger."""
        if isinstance(message, WeightsOffer):
            return Unavailable(message.round_index)
        return message


class Misshapen(LyingMessenger):
    """Offers too long a structure mask in even rounds, and gives too short chunks in odd ones."""

    def said(self, _to: str, message: Message) -> Message:
        """See LyingMessenger."""
        match message:
            case WeightsOffer() if message.round_index % 2 == 0:
                bits = message.bits + b"\xff"
                return replace(message, n_bits=8 * len(bits), bits=bits)
            case Chunk(_, _, data) if len(data) > 1:
                return replace(message, data=data[:-1])
        return message


class Spoofing(LyingMessenger):
    """Says in every Hello that it is another neighbor.

    Args:
        neighbors: the rude peer's.
    """

    def __init__(self, neighbors: Sequence[str], tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(tally, *given, **more)
        self._neighbors = neighbors

    def said(self, to: str, message: Message) -> Message:
        """See LyingMessenger. Where it has no other neighbor, it says it is the receiver itself."""
        if not isinstance(message, Hello):
            return message
        other = next((n for n in self._neighbors if n != to), to)
        return replace(message, peer_id=other)


class Stalling(LyingMessenger):
    """Tells the truth, and counts the offers that nothing worth the name will follow."""

    def send(self, connection: TcpConnection, to: str, message: Message, put: Put) -> bool:
        """See Messenger."""
        sent = super().send(connection, to, message, put)
        if sent and isinstance(message, WeightsOffer):
            self._tally.add()
        return sent


class OtherVersion(LyingMessenger):
    """Speaks the next wire version, and understands this one."""

    def _send(
        self, connection: TcpConnection, message: Message, put: Put, damage: bool = False
    ) -> bool:
        header, *bulk = encode(message)
        frames = [_next_version(bytes(header)), *bulk]
        if not put(frames):
            return False
        self._traffic.add(connection.number, "out", None, [len(frame) for frame in frames])
        self._tally.add()
        return True


def _next_version(header: bytes) -> bytes:
    _, *rest = msgpack.unpackb(header)
    return bytes(msgpack.packb([WIRE_VERSION + 1, *rest]))
