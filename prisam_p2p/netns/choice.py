"""Which network a run gets: by what it asks of its links, and what this machine can do.

docs/decisions/0021-network-choice.md has the rule, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from prisam_p2p.measure import records
from prisam_p2p.netns import doctor
from prisam_p2p.netns.doctor import LOOPBACK, NAMESPACES, Choice
from prisam_p2p.netns.interface import Network, Rates
from prisam_p2p.netns.link_check import QUICK, Measured, measure
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.settings import NetworkKind
from prisam_p2p.wire import ethernet


def choose_network(asked: NetworkKind, wants: Sequence[str]) -> Choice:
    """Return the network of a run; start nothing that stays.

    The caller should have one thread: this forks.

    Args:
        wants: what the run asks of its links, in words.

    Raises:
        ConfigError: namespaces were asked for, and are not to be had.
    """
    if asked is NetworkKind.LOOPBACK:
        return Choice(LOOPBACK, "asked for")
    if asked is NetworkKind.AUTO and not wants:
        return Choice(LOOPBACK, "nothing is asked of the links")
    choice = doctor.choose(doctor.probe(doctor.NEEDED), asked.value)
    if asked is NetworkKind.AUTO and choice.network == NAMESPACES:
        return Choice(NAMESPACES, f"for {' and '.join(wants)}")
    return choice


def make_network(choice: Choice, rates: Rates, run_id: str) -> Network:
    """Return the network of a run, made.

    Args:
        rates: of every peer's device, up and down; loopback leaves them to the peers.

    Raises:
        NetworkError: the kernel refuses what the doctor found to work.
    """
    if choice.network == LOOPBACK:
        return Loopback(list(rates), run_id)
    return Namespaces(list(rates), rates)


def measured(choice: Choice) -> list[Measured]:
    """Return what a link does here against what it is asked to; nothing for loopback."""
    return measure(QUICK) if choice.network == NAMESPACES else []


def shapes_rates(network: Network) -> bool:
    """Tell whether the network itself holds the devices' rates."""
    return isinstance(network, Namespaces)


def is_isolated(network: Network) -> bool:
    """Tell whether nobody but the peers reaches it."""
    return isinstance(network, Namespaces)


def facts_of(network: Network, choice: Choice, fidelity: Sequence[Measured]) -> records.NetworkMade:
    """Return what a run's figures hold for: the network, why it, and what it does."""
    mtu, congestion, delay_by = ethernet.LOOPBACK_MTU, "the host's", None
    if isinstance(network, Namespaces):
        mtu, congestion, delay_by = ethernet.MTU, network.congestion, network.delay_by
    told = [asdict(each) for each in fidelity]
    return records.NetworkMade(choice.network, choice.reason, mtu, congestion, delay_by, told)
