"""Choose the network of a run: by what its links need, and by what this machine can do.

The rule and its reasons: docs/decisions/0021-network-choice.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure import records
from prisam_p2p.netns import capabilities
from prisam_p2p.netns.capabilities import NEEDED, Capability
from prisam_p2p.netns.interface import Network, Rates
from prisam_p2p.netns.link_check import QUICK, LinkCheck, check_link
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.netns.of_hosts import NamespacesOfHosts, NetworkOfHosts
from prisam_p2p.settings import NetworkKind
from prisam_p2p.wire import ethernet

NAMESPACES, LOOPBACK = NetworkKind.NAMESPACES.value, NetworkKind.LOOPBACK.value
HOSTS = "hosts"
"""Plain TCP between and within hosts, whose addresses the peers share."""


@dataclass(frozen=True)
class NetworkChoice:
    """The network of a run.

    Attributes:
        network: NAMESPACES, LOOPBACK or HOSTS.
        reason: why that one, for people.
    """

    network: str
    reason: str


def choose_network(asked: NetworkKind, wants: Sequence[str]) -> NetworkChoice:
    """Choose the network of a run; nothing that this starts outlives the call.

    The caller should have one thread, because this may fork.

    Args:
        asked: the option `--network`.
        wants: what the run needs of its links, in words, such as "faults of links".

    Raises:
        ConfigError: namespaces were asked for, and this machine cannot have them.
    """
    if asked is NetworkKind.LOOPBACK:
        return NetworkChoice(LOOPBACK, "asked for")
    if asked is NetworkKind.AUTO and not wants:
        return NetworkChoice(LOOPBACK, "no link has a rate, delay, loss or fault")
    choice = choose_by_capabilities(capabilities.probe(NEEDED), asked)
    if asked is NetworkKind.AUTO and choice.network == NAMESPACES:
        return NetworkChoice(NAMESPACES, f"for {' and '.join(wants)}")
    return choice


def choose_by_capabilities(found: Mapping[str, Capability], asked: NetworkKind) -> NetworkChoice:
    """Choose the network by what the machine can do alone; `auto` prefers namespaces.

    Args:
        found: the result of `capabilities.probe`, at least for NEEDED.

    Raises:
        ConfigError: namespaces were asked for, and this machine cannot have them.
    """
    if asked is NetworkKind.LOOPBACK:
        return NetworkChoice(LOOPBACK, "asked for")
    missing = [found[what] for what in NEEDED if not found[what].available]
    if not missing:
        named = asked is NetworkKind.NAMESPACES
        return NetworkChoice(NAMESPACES, "asked for" if named else "all that it needs is available")
    lacks = "; ".join(f"{each.what}: {each.detail}" for each in missing)
    if asked is NetworkKind.NAMESPACES:
        right = f"loopback or auto on this machine, which lacks {lacks}"
        raise ConfigError("--network", "", asked.value, right)
    return NetworkChoice(LOOPBACK, f"namespaces lack {lacks}")


def make_network(choice: NetworkChoice, rates: Rates, run_id: str) -> Network:
    """Set up the network of a run.

    Args:
        rates: of every peer's device, up and down. Loopback ignores them: peers pace themselves.
        run_id: hexadecimal digits; loopback derives its addresses from them.

    Raises:
        NetworkError: the kernel refused something that the probes found to work.
    """
    if choice.network == NAMESPACES:
        return Namespaces(list(rates), rates)
    return Loopback(list(rates), run_id)


def network_on_hosts(
    choice: NetworkChoice, rates: Rates, host_addresses: Mapping[str, str]
) -> Network:
    """Return the network of a run whose peers live on hosts; agents make what it needs there.

    Args:
        rates: as in `make_network`.
        host_addresses: peer -> the address of its host.
    """
    if choice.network == NAMESPACES:
        return NamespacesOfHosts(rates)
    return NetworkOfHosts(host_addresses)


def choose_on_hosts(asked: NetworkKind, n_hosts: int) -> NetworkChoice:
    """Choose the network of a run whose peers live on hosts. This machine does not matter.

    Namespaces take root on every host, so that they are made only where they are asked for.
    """
    if asked is NetworkKind.NAMESPACES:
        return NetworkChoice(NAMESPACES, f"asked for, on {n_hosts} hosts")
    return NetworkChoice(HOSTS, f"peers live on {n_hosts} hosts")


def link_checks(choice: NetworkChoice) -> list[LinkCheck]:
    """Measure quickly what a link achieves here; empty for loopback.

    Raises:
        NetworkError: no network could be set up.
    """
    return check_link(QUICK) if choice.network == NAMESPACES else []


def shapes_rates(network: Network) -> bool:
    """Tell whether the network itself enforces the devices' rates."""
    return isinstance(network, Namespaces | NamespacesOfHosts)


def shares_addresses(network: Network) -> bool:
    """Tell whether several peers have the same address, and ports of their own."""
    return isinstance(network, NetworkOfHosts)


def is_isolated(network: Network) -> bool:
    """Tell whether only the peers can reach the network."""
    return isinstance(network, Namespaces)


def facts_of(
    network: Network, choice: NetworkChoice, checks: Sequence[LinkCheck]
) -> records.NetworkMade:
    """Return the journal record of the network: its kind, the reason and what a link achieves."""
    mtu, congestion, delay_by = ethernet.LOOPBACK_MTU, "the host's", None
    if isinstance(network, Namespaces):
        mtu, congestion, delay_by = ethernet.MTU, network.congestion, network.delay_by
    if isinstance(network, NamespacesOfHosts):
        mtu, congestion = ethernet.TUNNEL_MTU, network.congestion
        delay_by = network.delay_by or None
    achieved = [asdict(each) for each in checks]
    return records.NetworkMade(choice.network, choice.reason, mtu, congestion, delay_by, achieved)
