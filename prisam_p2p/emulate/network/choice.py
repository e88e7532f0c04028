"""Which network a run gets: what was asked for, or what this machine can do."""

from __future__ import annotations

from prisam_p2p.emulate.network.interface import Network, NetworkError, Rates
from prisam_p2p.emulate.network.loopback import Loopback
from prisam_p2p.emulate.network.namespaces import Namespaces
from prisam_p2p.settings import NetworkKind


def make_network(kind: NetworkKind, rates: Rates, run_id: str) -> Network:
    """Return the network of a run, made; `auto` falls back on loopback where it must.

    Args:
        rates: of every peer's device, up and down; loopback leaves them to the peers.

    Raises:
        NetworkError: namespaces were asked for, and the kernel refuses.
    """
    if kind is NetworkKind.LOOPBACK:
        return Loopback(list(rates), run_id)
    try:
        return Namespaces(list(rates), rates)
    except (NetworkError, OSError) as error:
        if kind is NetworkKind.NAMESPACES:
            right = "prisam doctor says what is missing; --network loopback does without"
            raise NetworkError(f"--network namespaces: {error}; {right}") from error
        return Loopback(list(rates), run_id)


def shapes_rates(network: Network) -> bool:
    """Tell whether the network itself holds the devices' rates."""
    return isinstance(network, Namespaces)


def mtu_of(network: Network) -> int:
    """Return the MTU of the interfaces between the peers."""
    return 1500 if isinstance(network, Namespaces) else 65536
