"""Whether the connections of a run are secured. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from prisam_p2p.settings import Security


def is_secured(asked: Security, addresses: Iterable[str], ours_alone: bool) -> bool:
    """Tell whether peers get keys.

    Args:
        addresses: of all peers, IPv4 or IPv6.
        ours_alone: they lie in a network that this launcher made and nobody else reaches.
    """
    if asked is not Security.AUTO:
        return asked is Security.CURVE
    beyond = any(not ip_address(address).is_loopback for address in addresses)
    return beyond and not ours_alone
