"""A peer as the one that is connected to: it admits neighbors, announces masks, serves weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import zmq

from prisam_p2p.control.messages import RosterEntry
from prisam_p2p.control.spec import Stop
from prisam_p2p.errors import WireError
from prisam_p2p.transport import events
from prisam_p2p.transport.context import Endpoint, TransportContext
from prisam_p2p.transport.io_thread import IoThread
from prisam_p2p.transport.router import Origin, Router
from prisam_p2p.transport.sessions import Session, Sessions, neighbor_by_host, objection
from prisam_p2p.transport.uploads import Uploads
from prisam_p2p.wire.mask_coding import MaskSender, RoundMask
from prisam_p2p.wire.messages import (
    MAX_REASON,
    Bye,
    Channel,
    ChunkRequest,
    Hello,
    MaskRequest,
    Message,
    Refuse,
    WeightsRequest,
    Welcome,
)
from prisam_p2p.wire.relay_messages import Entry, MaskDigest, MaskWanted, RelayedMask

_FENCED = "fenced"
_SAY_HELLO_FIRST = "say hello first"


class Server:
    """What a peer's ROUTER is for. For the transport's thread.

    Args:
        uploads: what is owed to requesters of weights.
        on_gone: told which neighbor's control connection is gone.
    """

    def __init__(
        self, context: TransportContext, uploads: Uploads, on_gone: Callable[[str], None]
    ) -> None:
        self._me, self._neighbors = context.me.identity, frozenset(context.me.neighbors)
        self._strangers = frozenset(context.me.strangers)
        self._known_masks = context.me.known_masks
        self._shared_address = context.me.shared_address
        self._messenger, self._connections = context.messenger, context.connections
        self._uploads, self._on_gone = uploads, on_gone
        self._router = Router(context, self._read, self._on_closed)
        self._sessions = Sessions()
        self._masks = MaskSender()
        self._last_mask: RoundMask | None = None
        self._card: RelayedMask | None = None
        self._digests: list[Mapping[str, MaskDigest]] = []  # told since the last mask
        self.port = self._router.port

    def begin(self, io: IoThread) -> None:
        """Listen."""
        self._router.begin(io)

    def know(self, roster: Mapping[str, Endpoint]) -> None:
        """Take in where the neighbors are."""
        self._router.hosts = self._hosts(roster)

    def update_neighbor(self, entry: RosterEntry, roster: Mapping[str, Endpoint]) -> None:
        """Admit a neighbor's process by its key and address; end those of its earlier processes."""
        self.know(roster)
        if entry.public_key:
            self._router.admit(entry.peer, entry.public_key)
        for session in self._sessions.expect(entry.peer, entry.incarnation):
            self._on_closed(session.descriptor)
            self._connections.hang_up(session.descriptor)

    def fence(self, neighbor: str, least_incarnation: int) -> None:
        """Hear a neighbor's processes no more that came before `least_incarnation`."""
        sessions = self._sessions.fence(neighbor, least_incarnation)
        for session in sessions:
            self._on_closed(session.descriptor)
            self._connections.hang_up(session.descriptor)
        for _ in range(len(sessions) + self._router.fence(neighbor)):
            self._messenger.reject(neighbor, _FENCED, "a connection from before its host was lost")

    def announce(self, mask: RoundMask, card: RelayedMask | None = None) -> None:
        """Send our mask to every neighbor that is connected.

        Args:
            card: what goes before it where masks are relayed; None = what went before the last one.
        """
        self._last_mask, self._digests = mask, []
        if card is not None:
            self._card = card
            for neighbor in self._present():
                self._tell(neighbor, card)
        reached = [n for n in self._present() if self._send_mask(n, mask)]
        unreachable = sorted(self._neighbors - set(reached))
        self._messenger.tell(events.AnnounceDone(mask.round_index, reached, unreachable))

    def tell_digests(self, digests: Mapping[str, MaskDigest]) -> None:
        """Tell neighbors whose masks this peer has learned.

        One that is not connected is told when it returns: it hears the mask of this round then, and
        awaits the digests that go with it.
        """
        self._digests.append(digests)
        for neighbor in self._present():
            if neighbor in digests:
                self._tell(neighbor, digests[neighbor])

    def say_bye(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        for neighbor in self._present():
            self._tell(neighbor, Bye(round_index))

    def send_due(self) -> None:
        """Send the chunks that are due."""
        while due := self._uploads.next_due(time.monotonic()):
            if self._reply(due.requester, due.answer):
                self._uploads.sent(due, time.monotonic())

    def go_on(self, stop: Stop) -> None:
        """Let the upload go on that waits at `stop`."""
        self._uploads.go_on(stop)
        self.send_due()

    def close(self, linger_ms: int) -> None:
        """Close the sockets, once what was handed over is sent, or `linger_ms` have passed."""
        self._router.close(linger_ms)

    def _hosts(self, roster: Mapping[str, Endpoint]) -> Mapping[str, str]:
        """Return whose an address is; where peers share addresses, nobody's."""
        return {} if self._shared_address else neighbor_by_host(roster)

    # -- sessions ------------------------------------------------------------------------

    def _on_closed(self, descriptor: int) -> None:
        session = self._sessions.close(descriptor)
        if session:
            self._uploads.left(session)
            if session.channel is Channel.CONTROL:
                self._messenger.tell(events.Left(session.neighbor, "connection closed"))
                self._on_gone(session.neighbor)

    def _admit(self, origin: Origin, hello: Hello) -> None:
        neighbor, channel, connection = hello.peer_id, hello.channel, origin.connection
        owner = connection.owner or self._router.hosts.get(connection.host, neighbor)
        if owner != neighbor:
            proof = "key" if connection.owner else "address"
            reason = f"{owner}'s {proof}, and the name of {neighbor}"
            self._messenger.reject(owner, "spoofed", reason)
            self._refuse(origin, owner, f"a name that is not this {proof}'s")
            return
        session = Session(neighbor, channel, origin.sender, origin.descriptor, hello.incarnation)
        refusal = objection(
            self._me, self._neighbors, hello, self._strangers
        ) or self._sessions.objection(session)
        if refusal is not None:
            verdict = _FENCED if self._sessions.is_fenced(session) else "refused"
            self._messenger.reject(neighbor, verdict, refusal)
            self._refuse(origin, neighbor, refusal)
            return
        self._open(session)
        self._connections.belongs(connection, neighbor, channel)
        self._reply(session, Welcome(self._me.incarnation))
        if channel is Channel.CONTROL:
            self._messenger.tell(events.Joined(neighbor, hello.incarnation))
            self._repeat_mask(neighbor)  # to a late or returning neighbor
            for digests in self._digests:
                if neighbor in digests:
                    self._tell(neighbor, digests[neighbor])

    def _open(self, session: Session) -> None:
        before = self._sessions.open(session)
        if before:  # the neighbor lost it, or was restarted, and we were not told yet
            self._connections.hang_up(before.descriptor)
            self._uploads.left(before)
        self._uploads.drop_requests(session)

    def _refuse(self, origin: Origin, name: str, reason: str) -> None:
        self._connections.refused(origin.connection)
        outlet = self._router.outlet(origin.sender, name, origin.connection)
        self._messenger.send(outlet, Refuse(reason))

    def _present(self) -> list[str]:
        return sorted(n for n in self._neighbors if self._sessions.of(n, Channel.CONTROL))

    def _session(self, origin: Origin) -> Session | None:
        """Return the session of a message. A stranger may choose an id that was another's."""
        session = self._sessions.at(origin.sender)
        return session if session and session.descriptor == origin.descriptor else None

    # -- messages ------------------------------------------------------------------------

    def _read(self, origin: Origin, frames: Sequence[zmq.Frame]) -> None:
        connection, session = origin.connection, self._session(origin)
        who = session.neighbor if session else self._router.name_of(connection)
        try:
            message = self._messenger.read(connection, who, frames)
        except WireError as error:
            if not session:  # a neighbor of another wire version should learn why
                self._refuse(origin, who, str(error)[:MAX_REASON])
            return
        if isinstance(message, Hello) and message.peer_id in self._neighbors | self._strangers:
            who = message.peer_id
        self._messenger.hand_in(connection, who, message, partial(self._take_in, origin))

    def _take_in(self, origin: Origin, message: Message) -> None:
        if origin.connection.gone or origin.connection.hung_up:
            return  # there is no connection to answer by
        if isinstance(message, Hello):
            self._admit(origin, message)
        elif session := self._session(origin):
            self._serve(session, message)
        elif isinstance(message, RelayedMask) and message.origin == origin.connection.owner:
            pass  # it shows once more whose it is, before it repeats its Hello
        else:
            name = self._router.name_of(origin.connection)
            self._messenger.reject(name, "stranger", _SAY_HELLO_FIRST)
            self._refuse(origin, name, _SAY_HELLO_FIRST)

    def _serve(self, session: Session, message: Message) -> None:
        match message:
            case WeightsRequest():
                self._reply(session, self._uploads.offer(session, message, time.monotonic()))
            case ChunkRequest():
                if self._uploads.owe(session, message, time.monotonic()):
                    self.send_due()
                else:
                    reason = "more requests than the window"
                    self._messenger.reject(session.neighbor, "unexpected", reason)
            case MaskRequest():
                self._repeat_mask(session.neighbor)
            case MaskWanted(_, entries) if session.channel is Channel.CONTROL:
                self._tell_masks(session, entries)
            case _:
                name = type(message).__name__
                self._messenger.reject(session.neighbor, "unexpected", name)

    def _tell_masks(self, session: Session, entries: Sequence[Entry]) -> None:
        """Send relayed masks that a neighbor asks for, as far as they are here."""
        for entry in entries:
            if (mask := self._known_masks.get(entry)) is not None:
                self._reply(session, mask)
            else:
                reason = f"the mask of {entry[0]} of round {entry[1]}, which is not here"
                self._messenger.reject(session.neighbor, "unexpected", reason)

    def _repeat_mask(self, neighbor: str) -> None:
        """Send the last mask whole, if there is one, and what goes before it."""
        self._masks.forget(neighbor)
        if self._card is not None:
            self._tell(neighbor, self._card)
        if self._last_mask is not None:
            self._send_mask(neighbor, self._last_mask)

    def _send_mask(self, neighbor: str, mask: RoundMask) -> bool:
        sent = self._tell(neighbor, self._masks.code(neighbor, mask))
        if sent:
            self._masks.sent(neighbor, mask)
        return sent

    def _tell(self, neighbor: str, message: Message) -> bool:
        """Send by a neighbor's control connection; False where it is gone or takes nothing in."""
        session = self._sessions.of(neighbor, Channel.CONTROL)
        if session is None:
            reason = f"{type(message).__name__}: no Hello"
            self._messenger.reject(neighbor, "unreachable", reason)
            return False
        return self._reply(session, message)

    def _reply(self, session: Session, message: Message) -> bool:
        """Send to a session; False where its connection is gone or takes nothing in."""
        connection = self._connections.at(session.descriptor)
        outlet = self._router.outlet(session.sender, session.neighbor, connection)
        return self._messenger.send(outlet, message)
