"""What the server and the client of one peer share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from prisam_p2p.transport.connections import Connections
from prisam_p2p.transport.known_masks import KnownMasks
from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.sockets import Context, SocketLimits
from prisam_p2p.wire.keys import Keys
from prisam_p2p.wire.relay_messages import RelayedMask

Endpoint = tuple[str, int]
"""Address and port."""

MESSAGES_PER_TURN = 64
"""At most this many messages are read from one socket before the others get their turn."""


def _unsigned(mask: RelayedMask) -> bool:
    return not mask.signature


@dataclass(frozen=True)
class LocalPeer:
    """This peer in its network.

    Attributes:
        address: its ROUTER listens here, and its DEALERs connect from here.
        shared_address: other peers have the same address: it is no proof of who somebody is.
        known_masks: what is told to neighbors that ask for relayed masks.
        strangers: peers of the run that are no neighbors, and may pull weights; () unless masks are
            relayed. With keys, each shows first what it signed of itself.
        holds: tells whether a mask's signature is its origin's.
        neighbors: who may connect.
        port: of the ROUTER; 0 = let the system choose.
        keys: None = connections are plain. A Hello is then believed, unless it comes from an
            address that another neighbor alone has.

    Raises:
        ValueError: the keys have no secret one.
    """

    identity: Identity
    address: str
    neighbors: Sequence[str]
    port: int = 0
    keys: Keys | None = None
    shared_address: bool = False
    known_masks: KnownMasks = field(default_factory=KnownMasks)
    strangers: Collection[str] = ()
    holds: Callable[[RelayedMask], bool] = _unsigned

    def __post_init__(self) -> None:
        if self.keys:
            self.keys.own_secret()  # now, and not when half of the sockets are open

    @property
    def source(self) -> str | None:
        """The address that its DEALERs bind; None = the system chooses.

        All DEALERs that bind one address need a port each, and there are some 28,000 of them. On
        loopback the system's choice would always be 127.0.0.1.
        """
        may_choose = self.shared_address and not ip_address(self.address).is_loopback
        return None if may_choose else self.address


@dataclass(frozen=True)
class TransportContext:
    """What the server and the client share, both in the transport's thread.

    Attributes:
        zmq: makes their sockets.
        messenger: every message passes it.
        connections: numbers every TCP connection of either side.
    """

    zmq: Context
    me: LocalPeer
    limits: SocketLimits
    messenger: Messenger
    connections: Connections
