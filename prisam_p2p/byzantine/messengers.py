"""Messengers that send other messages than the transport gives them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack

from prisam_p2p.byzantine.attacker import Attacker
from prisam_p2p.core.bits import pack_bits, unpack_bits
from prisam_p2p.transport.messenger import Messenger, Outlet
from prisam_p2p.wire.codec import WIRE_VERSION, encode
from prisam_p2p.wire.messages import Chunk, Hello, Message, Unavailable, WeightsOffer
from prisam_p2p.wire.relay_messages import RelayedMask


class ByzantineMessenger(Messenger):
    """Sends what `forged` returns for a message; here the message itself.

    Args:
        attacker: its tally counts the messages that are forged.
        given: arguments of Messenger.
    """

    def __init__(self, attacker: Attacker, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._attacker = attacker

    def send(self, outlet: Outlet, message: Message) -> bool:
        """See Messenger."""
        forged = self.forged(outlet.peer, message)
        sent = super().send(outlet, forged)
        if sent and forged is not message:
            self._attacker.tally.add()
        return sent

    def forged(self, _to: str, message: Message) -> Message:
        """Return the message that is sent in place of `message`."""
        return message


class Refusals(ByzantineMessenger):
    """Answers every request for weights with `Unavailable`."""

    def forged(self, _to: str, message: Message) -> Message:
        """See ByzantineMessenger."""
        if isinstance(message, WeightsOffer):
            return Unavailable(message.round_index)
        return message


class WrongShapes(ByzantineMessenger):
    """Offers a structure mask that is too long in even rounds, sends short chunks in odd ones."""

    def forged(self, _to: str, message: Message) -> Message:
        """See ByzantineMessenger."""
        match message:
            case WeightsOffer() if message.round_index % 2 == 0:
                bits = message.bits + b"\xff"
                return replace(message, n_bits=8 * len(bits), bits=bits)
            case Chunk(_, _, data) if len(data) > 1:
                return replace(message, data=data[:-1])
        return message


class SpoofedHellos(ByzantineMessenger):
    """Claims in every Hello to be another of its neighbors."""

    def forged(self, to: str, message: Message) -> Message:
        """See ByzantineMessenger. With one neighbor only, it claims to be the receiver."""
        if not isinstance(message, Hello):
            return message
        other = next((n for n in self._attacker.spec.neighbors if n != to), to)
        return replace(message, peer_id=other)


class ForgedRelays(ByzantineMessenger):
    """Relays every mask of another peer with all bits flipped."""

    def forged(self, to: str, message: Message) -> Message:
        """See ByzantineMessenger."""
        mine = self._attacker.spec.peer_id
        if not (isinstance(message, RelayedMask) and message.n_bits and message.origin != mine):
            return message
        bits = ~unpack_bits(message.bits, message.n_bits)
        return replace(message, bits=pack_bits(bits))


class CountedOffers(ByzantineMessenger):
    """Forges nothing; counts its offers of weights, which hardly any chunk will follow."""

    def send(self, outlet: Outlet, message: Message) -> bool:
        """See Messenger."""
        sent = super().send(outlet, message)
        if sent and isinstance(message, WeightsOffer):
            self._attacker.tally.add()
        return sent


class OtherVersion(ByzantineMessenger):
    """Speaks the next wire version, and understands this one."""

    def _send(self, outlet: Outlet, message: Message, damage: bool = False) -> bool:
        header, *bulk = encode(message)
        sent = self._put(outlet, message, [_next_version(bytes(header)), *bulk], None)
        if sent:
            self._attacker.tally.add()
        return sent


def _next_version(header: bytes) -> bytes:
    _, *rest = msgpack.unpackb(header)
    return bytes(msgpack.packb([WIRE_VERSION + 1, *rest]))
