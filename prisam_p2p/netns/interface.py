"""What every network is: addresses, a way in, a state for each directed link, and evidence."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.errors import PrisamError
from prisam_p2p.plan.link_properties import Link, LinkState

Rates = Mapping[str, tuple[float | None, float | None]]
"""Peer -> its up and its down rate in Mbit/s over all its links; None = no limit."""


class NetworkError(PrisamError):
    """The network could not be made so, or is gone."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to a directed link's packets since the network was set up.

    Attributes:
        cut: packets that a cut dropped or rejected.
        lost: packets that random loss dropped.
        delayed: packets that were held back; None where the kernel does it and does not count.
        reset: connections that were destroyed.
    """

    cut: int = 0
    lost: int = 0
    delayed: int | None = 0
    reset: int = 0

    @property
    def evidence(self) -> int:
        """Packets dropped and connections destroyed."""
        return self.cut + self.lost + self.reset


class Network(Protocol):
    """See the module. Not for two threads at once.

    Attributes:
        addresses: peer -> its IPv4 address, which no other peer has.
    """

    addresses: Mapping[str, str]

    def entry(self, peer: str) -> dict[str, int | None] | None:
        """Return the keyword arguments of `enter` for a peer's process; None = nothing to enter.

        They are descriptors of the launcher, to be inherited under the same numbers.
        """

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """Make every link so; links that are not named are made clear. Twice is as once.

        Raises:
            NetworkError: the kernel refused; links may be in their old state or in the new.
        """

    def counts(self, link: Link) -> Counts:
        """Return what happened on `link` so far."""

    def evidence(self, link: Link) -> int:
        """Return the packets of `link` dropped, and its connections destroyed, so far."""

    def watch_sockets(self) -> list[socket.socket]:
        """Return the sockets, as of sock_diag.listen, that tell of all peers' destroyed ones.

        They are the network's: it closes them.

        Raises:
            NetworkError: the kernel does not tell.
        """

    def dump_sockets(self) -> list[socket.socket]:
        """Return blocking sock_diag sockets, to ask for the connections there are; as above."""

    def close(self) -> None:
        """Take it down. Peers that still run are cut off from each other."""
