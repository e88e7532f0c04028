"""Which network a run gets: what was asked for, or what this machine can do."""

from __future__ import annotations

from prisam_p2p.emulate.network.interface import Network, NetworkError, Rates
from prisam_p2p.emulate.network.loopback import Loopback
from prisam_p2p.emulate.network.namespaces import Namespaces
from prisam_p2p.measure import records
from prisam_p2p.settings import NetworkKind
from prisam_p2p.wire import ethernet


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


def is_isolated(network: Network) -> bool:
    """Tell whether nobody but the peers reaches it."""
    return isinstance(network, Namespaces)


def facts_of(network: Network) -> records.NetworkMade:
    """Return what a run's figures hold for: the network's kind, and what the kernel gave it."""
    if isinstance(network, Namespaces):
        kind = NetworkKind.NAMESPACES.value
        return records.NetworkMade(kind, ethernet.MTU, network.congestion, network.delay_by)
    kind = NetworkKind.LOOPBACK.value
    return records.NetworkMade(kind, ethernet.LOOPBACK_MTU, "the host's", None)
