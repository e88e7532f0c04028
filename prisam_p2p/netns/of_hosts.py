"""Several hosts as a network: peers that share their hosts' addresses, or have namespaces there."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from prisam_p2p.netns.interface import Counts, Helper, NetworkError, Rates
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.netns.namespaces import addresses_in_namespaces
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

_NUMBERS = 1 << 24


class NetworkOfHosts(Loopback):
    """See interface.Network. As on loopback, peers themselves emulate rates, delays and cuts.

    Args:
        addresses: peer -> its host's address.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        super().__init__([], "00")
        self.addresses = addresses


class HostsOfNetwork(Protocol):
    """The hosts that hold the namespaces of a run."""

    def set_links(self, states: Mapping[Link, LinkState]) -> None:
        """Have every host do its end of the links; see Network.apply. Hosts may be lost meanwhile.

        Raises:
            LaunchError: a host did not answer in time.
            NetworkError: the kernel of a host refused.
        """

    def count_link(self, link: Link) -> Counts | None:
        """Return what the receiver's host counted; None = that host is lost.

        Raises:
            LaunchError, NetworkError: as `set_links`.
        """


class NamespacesOfHosts:
    """A namespace for each peer on its host; a VXLAN joins those of all hosts. See Network.

    The hosts' agents make them, watch their sockets and enter them. `join` comes before the first
    call that needs the hosts.

    Args:
        rates: of all peers, in the order of the plan.

    Attributes:
        congestion, delay_by: see Namespaces; several hosts may differ.
        on_wait: is not called: the engine of the hosts waits, and looks meanwhile.
    """

    def __init__(self, rates: Rates) -> None:
        self.addresses: Mapping[str, str] = addresses_in_namespaces(list(rates))
        self.rates = rates
        self.on_wait: Callable[[], object] | None = None
        self.congestion, self.delay_by = "", ""
        self._hosts: HostsOfNetwork | None = None
        self._counted: dict[Link, Counts] = {}

    def join(self, hosts: HostsOfNetwork, congestions: set[str], delays: set[str]) -> None:
        """Take over the hosts once their namespaces are made, and how these were made."""
        self._hosts = hosts
        self.congestion, self.delay_by = (", ".join(sorted(each)) for each in (congestions, delays))

    def helpers(self) -> list[Helper]:
        """See interface.Network: none on this host."""
        return []

    def entry(self, peer: str) -> None:
        """See interface.Network: the agent of the peer's host knows it."""

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """See interface.Network."""
        self._there.set_links({link: each for link, each in states.items() if each != CLEAR})

    def counts(self, link: Link) -> Counts:
        """See interface.Network; of a host that is lost, those it told last."""
        if found := self._there.count_link(link):
            self._counted[link] = found
        return self._counted.get(link, Counts())

    def evidence(self, link: Link) -> int:
        """See interface.Network."""
        return self.counts(link).evidence

    def watch_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        raise NetworkError("the agents of the hosts watch the peers' sockets")

    def dump_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        raise NetworkError("the agents of the hosts list the peers' connections")

    def close(self) -> None:
        """See interface.Network: the namespaces go with the agents."""

    @property
    def _there(self) -> HostsOfNetwork:
        if self._hosts is None:
            raise NetworkError("the namespaces of the hosts are not made yet")
        return self._hosts


def tunnel_number(run_id: str) -> int:
    """Return the number of a run's VXLAN, 24 bits; `run_id` is hexadecimal digits."""
    return int(run_id, 16) % _NUMBERS
