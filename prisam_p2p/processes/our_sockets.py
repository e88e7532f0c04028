"""Which of a kernel's TCP sockets belong to a run: by the addresses or the ROUTERs of its peers."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Protocol

from prisam_p2p.measure.tcp_info import Ends


class OurSockets(Protocol):
    """Tells which sockets belong to a run.

    Attributes:
        version: grows when more is known, so that a socket may be judged again.
    """

    version: int

    def is_ours(self, ends: Ends) -> bool | None:
        """Tell whether a socket with these ends belongs to the run; None = not known yet."""

    def is_here(self, ends: Ends) -> bool:
        """Tell whether this kernel will tell of a socket of ours with these ends."""


class BetweenAddresses:
    """Sockets between addresses that nobody else has: each peer's own. See OurSockets.

    Args:
        here: those of the peers on this host; None = all.
    """

    def __init__(self, addresses: Collection[str], here: Collection[str] | None = None) -> None:
        self.version, self._addresses = 0, frozenset(addresses)
        self._here = self._addresses if here is None else frozenset(here)

    def is_ours(self, ends: Ends) -> bool:
        """See OurSockets."""
        return all(address in self._addresses for address, _ in ends)

    def is_here(self, ends: Ends) -> bool:
        """See OurSockets."""
        return ends[0][0] in self._here


class ToRouters:
    """Sockets of a host with a peer's ROUTER at one end, whoever is at the other. See OurSockets.

    The host's address is shared by its peers, and by what else runs there.

    Args:
        address: of this host. Hosts on loopback share one kernel: each has the sockets of its own
            address.
    """

    def __init__(self, address: str) -> None:
        self.version, self._address = 0, address
        self._alone = not ip_address(address).is_loopback
        self._routers: frozenset[tuple[str, int]] = frozenset()

    def know(self, routers: Collection[tuple[str, int]]) -> None:
        """Take in where peers of any host listen: (address, port) of each. Any thread may call."""
        if more := frozenset(routers) - self._routers:
            self._routers |= more
            self.version += 1

    def is_ours(self, ends: Ends) -> bool | None:
        """See OurSockets. A ROUTER at this host's address may be told of later."""
        local, remote = ends
        if not self._alone and local[0] != self._address:
            return False
        if local in self._routers or remote in self._routers:
            return True
        return None if self._address in (local[0], remote[0]) else False

    def is_here(self, ends: Ends) -> bool:
        """See OurSockets."""
        return ends[0][0] == self._address
