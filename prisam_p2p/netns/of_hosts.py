"""Several hosts as a network: the kernel's TCP in between, and peers that share addresses."""

from __future__ import annotations

from collections.abc import Mapping

from prisam_p2p.netns.loopback import Loopback


class NetworkOfHosts(Loopback):
    """See interface.Network. As on loopback, peers themselves emulate rates, delays and cuts.

    Args:
        addresses: peer -> its host's address.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        super().__init__([], "00")
        self.addresses = addresses
