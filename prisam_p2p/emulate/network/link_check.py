"""A quick look at whether a link in namespaces does what it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from prisam_p2p.emulate.network import fidelity
from prisam_p2p.emulate.network.interface import NetworkError
from prisam_p2p.emulate.network.isolated import Failed, isolated
from prisam_p2p.emulate.network.link_state import LinkState
from prisam_p2p.emulate.network.namespaces import Namespaces

_FIDELITY_S = 20.0


@dataclass(frozen=True)
class Measured:
    """What a link was asked to do, and what it did; `why_not` where it could not be measured."""

    what: str
    asked: float
    achieved: float | None
    why_not: str = ""


def measure() -> list[Measured]:
    """Set up two peers in namespaces and measure a link, in some seconds.

    Raises:
        NetworkError: it cannot be set up.
    """
    network = Namespaces(["a", "b"])
    try:
        return [
            _measured(network, *each)
            for each in (
                ("rate, Mbit/s", 20.0, LinkState(rate_mbit_s=20), fidelity.rate_mbit_s, 1.5),
                ("loss", 0.1, LinkState(loss=0.1), fidelity.loss, 10_000),
                ("delay, ms", 20.0, LinkState(delay_ms=20), fidelity.median_delay_ms, 100),
            )
        ]
    finally:
        network.close()


def _measured(
    network: Namespaces,
    what: str,
    asked: float,
    state: LinkState,
    how: Callable[..., float],
    amount: float,
) -> Measured:
    try:
        network.apply({("a", "b"): state})
        return Measured(
            what, asked, round(isolated(partial(how, network, "a", "b", amount), _FIDELITY_S), 4)
        )
    except (NetworkError, Failed) as error:
        return Measured(what, asked, None, str(error))
