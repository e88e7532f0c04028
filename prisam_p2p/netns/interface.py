"""The interface of a network: addresses, namespaces to enter, the state of links, packet counts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.errors import PrisamError
from prisam_p2p.plan.link_properties import Link, LinkState

Rates = Mapping[str, tuple[float | None, float | None]]
"""Peer -> its rates up and down in Mbit/s, over all its links together; None = no limit."""


class NetworkError(PrisamError):
    """The network could not be set up or changed, or its holder process is gone."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to a directed link's packets and connections since the network was set up.

    Attributes:
        cut: packets that a cut dropped or rejected.
        lost: packets that random loss dropped.
        delayed: packets that were delayed; None where netem delays them, which does not count.
        reset: connections that were destroyed.
    """

    cut: int = 0
    lost: int = 0
    delayed: int | None = 0
    reset: int = 0

    @property
    def evidence(self) -> int:
        """The number of packets dropped and connections destroyed."""
        return self.cut + self.lost + self.reset


@dataclass(frozen=True, slots=True)
class Helper:
    """A process that a network needs.

    Attributes:
        name: in words.
        is_awaited: whether the launcher waits for an answer of it.
        carries_packets: whether packets stay where they are while it is stopped.
    """

    name: str
    pid: int
    is_awaited: bool = False
    carries_packets: bool = False


@dataclass(frozen=True)
class Tunnel:
    """A VXLAN that joins the bridges of several hosts to one Ethernet; needs root on each.

    Attributes:
        number: of the VXLAN, 24 bits: of all runs that reach each other, only this one's.
        local: address of this host, which the tunnel's packets come from.
        remotes: addresses of the other hosts.
    """

    number: int
    local: str
    remotes: tuple[str, ...]


class Network(Protocol):
    """A network for the peers of one run; not thread-safe.

    Attributes:
        addresses: peer -> its IPv4 address, which no other peer has.
        on_wait: called several times a second while a method waits for one of `helpers`; may raise.
            With None, such a wait ends with a NetworkError after a minute.
    """

    addresses: Mapping[str, str]
    on_wait: Callable[[], object] | None

    def helpers(self) -> list[Helper]:
        """Return the processes that this network needs.

        One may wait for those before it, and those before it end with it.
        """

    def entry(self, peer: str) -> dict[str, int | None] | None:
        """Return the arguments of system.setns.enter for a peer's process; None = do not enter.

        The values are descriptors of the launcher; the peer inherits them by the same numbers.
        """

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """Set the state of every link; links that `states` does not name become clear.

        Applying the same states again changes nothing.

        Raises:
            NetworkError: the kernel refused; each link is in its old state or in the new one.
        """

    def counts(self, link: Link) -> Counts:
        """Return the counts of `link` so far.

        Raises:
            NetworkError: the holder process is gone.
        """

    def evidence(self, link: Link) -> int:
        """Return how many packets of `link` were dropped and connections destroyed so far.

        Raises:
            NetworkError: the holder process is gone.
        """

    def watch_sockets(self) -> list[socket.socket]:
        """Return sockets, as of sock_diag.listen, that report the peers' destroyed sockets.

        The network owns and closes them.

        Raises:
            NetworkError: the kernel does not report them.
        """

    def dump_sockets(self) -> list[socket.socket]:
        """Return blocking sock_diag sockets to list the present connections of all peers.

        The network owns and closes them.

        Raises:
            NetworkError: the kernel has no sock_diag.
        """

    def close(self) -> None:
        """Take the network down. Peers that still run are cut off from each other."""
