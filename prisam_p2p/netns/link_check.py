"""A quick look at whether a link in namespaces does what it is asked to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prisam_p2p.netns import fidelity
from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.system.isolated import Failed, isolated

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


# Run as a program it prints the table of docs/network.md:
#
#     python -m prisam_p2p.netns.link_check
#
# It takes about two minutes.

_REPEATS = 5
_DEADLINE_S = 60.0
_PEERS = 20


def main() -> None:
    """Measure and print."""
    _print("set-up of 20 peers, s", [_set_up_s() for _ in range(_REPEATS)])
    network = Namespaces(["a", "b"])
    print(f"congestion control {network.congestion}, delay by {network.delay_by}")
    try:
        for rate in (1.0, 5.0, 20.0, 100.0, 500.0):
            limit = LinkState(rate_mbit_s=rate)
            _repeat(network, f"rate {rate:g} Mbit/s", limit, fidelity.rate_mbit_s, 3.0)
        for share in (0.01, 0.02, 0.05, 0.1, 0.3):
            _repeat(network, f"loss {share:g}", LinkState(loss=share), fidelity.loss, 20_000)
        for delay_ms in (1.0, 5.0, 20.0, 100.0):
            late = LinkState(delay_ms=delay_ms)
            _repeat(network, f"delay {delay_ms:g} ms", late, fidelity.median_delay_ms, 200)
        for what, state in (
            ("no limit", LinkState()),
            ("delay 20 ms", LinkState(delay_ms=20)),
            ("delay 20 ms, loss 0.02", LinkState(delay_ms=20, loss=0.02)),
        ):
            _repeat(network, f"{what}: Mbit/s", state, fidelity.rate_mbit_s, 6.0)
    finally:
        network.close()


def _set_up_s() -> float:
    began_s = time.monotonic()
    network = Namespaces([f"p{i}" for i in range(_PEERS)])
    took_s = time.monotonic() - began_s
    network.close()
    return took_s


def _repeat(
    network: Namespaces, what: str, state: LinkState, how: Callable[..., float], amount: float
) -> None:
    network.apply({("a", "b"): state})
    call = partial(how, network, "a", "b", amount)
    _print(what, [isolated(call, _DEADLINE_S) for _ in range(_REPEATS)])


def _print(what: str, values: Sequence[float]) -> None:
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:32} {middle:10.4g}   {low:.4g} to {high:.4g}   n = {len(values)}", flush=True)


if __name__ == "__main__":
    main()
