"""Which neighbors are connected to this peer, and who is refused. Pure.

A session is a connection whose Hello was welcomed: it speaks for one neighbor on one channel. A
neighbor that lost its connection comes back by another one, so the latest session counts.
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


def objection(
    me: Identity, neighbors: Collection[str], hello: Hello, strangers: Collection[str] = ()
) -> str | None:
    """Return why a connection is refused, or None to welcome it.

    Args:
        strangers: peers that are no neighbors: they may pull weights, and hear no masks.
    """
    if hello.run_id != me.run_id:
        return "another run"
    may_pull = hello.channel is Channel.BULK and hello.peer_id in strangers
    if hello.peer_id not in neighbors and not may_pull:
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
    """The open sessions: at most one for each neighbor and channel."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, Session] = {}
        self._by_neighbor: dict[tuple[str, Channel], Session] = {}
        self._least: dict[str, int] = {}
        self._fenced: dict[str, int] = {}

    def at(self, sender: bytes) -> Session | None:
        """Return the session of a connection, None where it has none."""
        return self._by_sender.get(sender)

    def of(self, neighbor: str, channel: Channel) -> Session | None:
        """Return the session of `neighbor` on `channel`, None where there is none."""
        return self._by_neighbor.get((neighbor, channel))

    def expect(self, neighbor: str, incarnation: int) -> list[Session]:
        """Refuse earlier processes of a neighbor from now on; return the sessions they have."""
        self._least[neighbor] = max(incarnation, self._least.get(neighbor, 0))
        sessions = (self.of(neighbor, channel) for channel in Channel)
        return [each for each in sessions if each and each.incarnation < incarnation]

    def fence(self, neighbor: str, least_incarnation: int) -> list[Session]:
        """Do as `expect`, because the host of the earlier processes was lost."""
        self._fenced[neighbor] = max(least_incarnation, self._fenced.get(neighbor, 0))
        return self.expect(neighbor, least_incarnation)

    def is_fenced(self, session: Session) -> bool:
        """Tell whether `session` is of a process whose host was lost."""
        return session.incarnation < self._fenced.get(session.neighbor, 0)

    def objection(self, session: Session) -> str | None:
        """Return why `session` may not be opened, or None."""
        mine = self.at(session.sender)
        if mine and (mine.neighbor, mine.channel) != (session.neighbor, session.channel):
            return f"this connection is {mine.neighbor}'s, for {mine.channel.name.lower()}"
        present = self.of(session.neighbor, session.channel)
        if self.is_fenced(session):
            return f"the host of this process of {session.neighbor} was lost"
        later = present and present is not mine and present.incarnation > session.incarnation
        if later or session.incarnation < self._least.get(session.neighbor, 0):
            return f"a later process of {session.neighbor} is here"
        return None

    def open(self, session: Session) -> Session | None:
        """Open a session; return the one it replaces, if that was another connection's."""
        before = self.of(session.neighbor, session.channel)
        if before:
            self._drop(before)
        self._by_sender[session.sender] = session
        self._by_neighbor[session.neighbor, session.channel] = session
        return before if before and before.sender != session.sender else None

    def close(self, descriptor: int) -> Session | None:
        """Close and return the session of a connection that is gone, None where it had none."""
        for session in self._by_sender.values():
            if session.descriptor == descriptor:
                self._drop(session)
                return session
        return None

    def _drop(self, session: Session) -> None:
        del self._by_sender[session.sender]
        del self._by_neighbor[session.neighbor, session.channel]


def neighbor_by_host(roster: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Return address -> its neighbor, for every address that only one neighbor has."""
    hosts = Counter(host for host, _ in roster.values())
    return {host: neighbor for neighbor, (host, _) in roster.items() if hosts[host] == 1}
