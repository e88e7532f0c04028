"""The network namespaces of a host's peers: an agent's part of a network of several hosts."""

from __future__ import annotations

from collections.abc import Callable, Collection

from prisam_p2p.errors import ResourceError
from prisam_p2p.hosts.messages import CountLink, LinkCounted, LinksSet, MakeNetwork, SetLinks
from prisam_p2p.netns.interface import NetworkError, Tunnel
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.processes.helper_process import NetworkWatch
from prisam_p2p.processes.our_sockets import BetweenAddresses

_WHAT = "network namespaces joined by a VXLAN (--network namespaces)"
_TO_DO = "run the agents as root on every host, with VXLAN in their kernels, or --network loopback"


class HostNetwork:
    """Makes the namespaces; they end with `close`, or with this process.

    Args:
        address: of this host.
        stall_timeout_s: what holds the namespaces is killed when it owes an answer for so long.
        on_wait: called several times a second while an answer of it is waited for; may raise.

    Attributes:
        namespaces: of this host's peers.
        sockets: tells which sockets are the peers'.

    Raises:
        ResourceError: the kernel refused.
    """

    def __init__(
        self,
        order: MakeNetwork,
        address: str,
        stall_timeout_s: float,
        on_wait: Callable[[], object],
    ) -> None:
        tunnel = Tunnel(order.number, address, order.remotes)
        try:
            self.namespaces = Namespaces(
                order.peers, order.rates, here=order.rates, tunnel=tunnel, on_wait=on_wait
            )
        except NetworkError as error:
            raise ResourceError(_WHAT, str(error), _TO_DO) from error
        self._here: Collection[str] = order.rates
        self._watch, self._on_wait = NetworkWatch(self.namespaces, stall_timeout_s), on_wait
        self.namespaces.on_wait = self._look_at_wait
        addresses = self.namespaces.addresses
        self.sockets = BetweenAddresses(
            addresses.values(), here=[addresses[peer] for peer in self._here]
        )

    @property
    def descriptors(self) -> list[int]:
        """What the peers' processes must inherit to enter their namespaces."""
        entries = [self.namespaces.entry(peer) for peer in self._here]
        return [fd for entry in entries for fd in entry.values() if fd is not None]

    def set_links(self, order: SetLinks) -> LinksSet:
        """Do this host's end of all links."""
        try:
            self.namespaces.apply({(a, b): state for a, b, state in order.states})
        except NetworkError as error:
            return LinksSet(order.asked, str(error))
        return LinksSet(order.asked)

    def count(self, order: CountLink) -> LinkCounted:
        """Count what happened to a link to a peer of this host."""
        try:
            return LinkCounted(order.asked, self.namespaces.counts((order.sender, order.receiver)))
        except NetworkError as error:
            return LinkCounted(order.asked, None, str(error))

    def look(self) -> None:
        """Look at the processes that the namespaces need.

        Raises:
            LaunchError: one has ended, or was killed because it stood still for too long.
        """
        self._watch.look()

    def close(self) -> None:
        """Take the namespaces down."""
        self.namespaces.close()

    def _look_at_wait(self) -> None:
        self.look()
        self._on_wait()
