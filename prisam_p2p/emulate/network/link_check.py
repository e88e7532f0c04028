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


@dataclass(frozen=True)
class Effort:
    """How long a link is looked at: the rate for seconds, loss and delay for datagrams."""

    rate_s: float
    loss_of: int
    delays: int


THOROUGH, QUICK = Effort(1.5, 10_000, 100), Effort(0.6, 2_000, 40)
"""Some seconds, and one."""


def measure(effort: Effort = THOROUGH) -> list[Measured]:
    """Set up two peers in namespaces and measure a link.

    Raises:
        NetworkError: it cannot be set up.
    """
    network = Namespaces(["a", "b"])
    try:
        return [
            _measured(network, *each)
            for each in (
                (
                    "rate, Mbit/s",
                    20.0,
                    LinkState(rate_mbit_s=20),
                    fidelity.rate_mbit_s,
                    effort.rate_s,
                ),
                ("loss", 0.1, LinkState(loss=0.1), fidelity.loss, effort.loss_of),
                (
                    "delay, ms",
                    20.0,
                    LinkState(delay_ms=20),
                    fidelity.median_delay_ms,
                    effort.delays,
                ),
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
