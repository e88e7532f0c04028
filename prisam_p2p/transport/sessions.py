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
class Session:
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


class Sessions:
    """The places that are taken: at most one for each neighbor and channel."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, Session] = {}
        self._held: dict[tuple[str, Channel], Session] = {}

    def __getitem__(self, sender: bytes) -> str:
        """Return the neighbor that an admitted connection speaks for."""
        return self._by_sender[sender].neighbor

    def at(self, sender: bytes) -> Session | None:
        """Return the session of a connection, None where it has none."""
        return self._by_sender.get(sender)

    def of(self, neighbor: str, channel: Channel) -> Session | None:
        """Return where `neighbor` is to be reached, None where it is not there."""
        return self._held.get((neighbor, channel))

    def objection(self, session: Session) -> str | None:
        """Return why `session` may not be taken, or None."""
        mine = self.at(session.sender)
        if mine and (mine.neighbor, mine.channel) != (session.neighbor, session.channel):
            return f"this connection is {mine.neighbor}'s, for {mine.channel.name.lower()}"
        holder = self.of(session.neighbor, session.channel)
        if holder and holder is not mine and holder.incarnation > session.incarnation:
            return f"a later process of {session.neighbor} is here"
        return None

    def take(self, session: Session) -> Session | None:
        """Take a session; return that of the connection which had it before, if it was another."""
        before = self.of(session.neighbor, session.channel)
        if before:
            self._drop(before)
        self._by_sender[session.sender] = self._held[session.neighbor, session.channel] = session
        return before if before and before.sender != session.sender else None

    def leave(self, descriptor: int) -> Session | None:
        """Free the session of a connection that is gone, and return it."""
        for session in self._by_sender.values():
            if session.descriptor == descriptor:
                self._drop(session)
                return session
        return None

    def _drop(self, session: Session) -> None:
        del self._by_sender[session.sender]
        del self._held[session.neighbor, session.channel]


def only_ones(roster: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Return address -> the neighbor that is there, where it is the only one."""
    hosts = Counter(host for host, _ in roster.values())
    return {host: neighbor for neighbor, (host, _) in roster.items() if hosts[host] == 1}
