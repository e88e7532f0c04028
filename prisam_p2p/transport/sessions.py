"""Who may talk to this peer: neighbors of the same run that exchange the same network. Pure.

A connection is whose the Hello that comes by it says, and speaks for that neighbor on one channel.
The latest such connection counts: a neighbor that lost one comes back by another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prisam_p2p.wire.messages import Channel, Hello


@dataclass(frozen=True)
class Identity:
    """What this peer says of itself in every Hello."""

    run_id: bytes
    peer_id: str
    incarnation: int
    w0_digest: bytes
    layout_digest: bytes

    def hello(self, channel: Channel) -> Hello:
        """Return the Hello that opens a connection."""
        return Hello(
            self.run_id,
            self.peer_id,
            self.incarnation,
            channel,
            self.w0_digest,
            self.layout_digest,
        )


def objection(me: Identity, neighbors: Collection[str], hello: Hello) -> str | None:
    """Return why a connection is refused, or None to welcome it."""
    if hello.run_id != me.run_id:
        return "another run"
    if hello.peer_id not in neighbors:
        return f"{hello.peer_id} is no neighbor of {me.peer_id}"
    if hello.layout_digest != me.layout_digest:
        return "a model of another layout"
    if hello.w0_digest != me.w0_digest:
        return "other initial weights W0"
    return None


@dataclass(frozen=True)
class Place:
    """A connection that speaks for a neighbor on one channel.

    Attributes:
        sender: the ROUTER's id of the connection.
        descriptor: of its socket.
        incarnation: of the neighbor's process, by its Hello.
    """

    neighbor: str
    channel: Channel
    sender: bytes
    descriptor: int
    incarnation: int


class Admitted:
    """The places that are taken: at most one for each neighbor and channel."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, Place] = {}
        self._held: dict[tuple[str, Channel], Place] = {}

    def __getitem__(self, sender: bytes) -> str:
        """Return the neighbor that an admitted connection speaks for."""
        return self._by_sender[sender].neighbor

    def at(self, sender: bytes) -> Place | None:
        """Return the place of a connection, None where it has none."""
        return self._by_sender.get(sender)

    def of(self, neighbor: str, channel: Channel) -> Place | None:
        """Return where `neighbor` is to be reached, None where it is not there."""
        return self._held.get((neighbor, channel))

    def objection(self, place: Place) -> str | None:
        """Return why `place` may not be taken, or None."""
        mine = self.at(place.sender)
        if mine and (mine.neighbor, mine.channel) != (place.neighbor, place.channel):
            return f"this connection is {mine.neighbor}'s, for {mine.channel.name.lower()}"
        holder = self.of(place.neighbor, place.channel)
        if holder and holder is not mine and holder.incarnation > place.incarnation:
            return f"a later process of {place.neighbor} is here"
        return None

    def take(self, place: Place) -> Place | None:
        """Take a place; return that of the connection which had it before, if it was another."""
        before = self.of(place.neighbor, place.channel)
        if before:
            self._drop(before)
        self._by_sender[place.sender] = self._held[place.neighbor, place.channel] = place
        return before if before and before.sender != place.sender else None

    def leave(self, descriptor: int) -> Place | None:
        """Free the place of a connection that is gone, and return it."""
        for place in self._by_sender.values():
            if place.descriptor == descriptor:
                self._drop(place)
                return place
        return None

    def _drop(self, place: Place) -> None:
        del self._by_sender[place.sender]
        del self._held[place.neighbor, place.channel]


def only_ones(roster: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Return address -> the neighbor that is there, where it is the only one."""
    hosts = Counter(host for host, _ in roster.values())
    return {host: neighbor for neighbor, (host, _) in roster.items() if hosts[host] == 1}
