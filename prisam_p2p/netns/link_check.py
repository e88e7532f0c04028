"""Compare the rate, loss and delay of a link in namespaces with what was requested.

Run as a program, this prints the table of docs/network.md in about two minutes:

    python -m prisam_p2p.netns.link_check
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.netns.link_measurements import loss, median_delay_ms, rate_mbit_s
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.system.isolated import Failed, isolated

_DEADLINE_S = 20.0


@dataclass(frozen=True)
class LinkCheck:
    """One property of a link: what was asked for, and what was achieved.

    Attributes:
        what: the property and its unit.
        achieved: None where it could not be measured.
        why_not: the reason for that, else "".
    """

    what: str
    asked: float
    achieved: float | None
    why_not: str = ""


@dataclass(frozen=True)
class Effort:
    """How much to measure: seconds of a stream for the rate, datagrams for loss and delay."""

    rate_s: float
    n_loss: int
    n_delay: int


THOROUGH, QUICK = Effort(1.5, 10_000, 100), Effort(0.6, 2_000, 40)
"""A few seconds, and about one."""


def check_link(effort: Effort = THOROUGH) -> list[LinkCheck]:
    """Set up two peers in namespaces, and measure the rate, loss and delay of a link.

    Raises:
        NetworkError: the network cannot be set up.
    """
    network = Namespaces(["a", "b"])
    try:
        check = partial(_check, network)
        return [
            check("rate, Mbit/s", 20.0, LinkState(rate_mbit_s=20), rate_mbit_s, effort.rate_s),
            check("loss", 0.1, LinkState(loss=0.1), loss, effort.n_loss),
            check("delay, ms", 20.0, LinkState(delay_ms=20), median_delay_ms, effort.n_delay),
        ]
    finally:
        network.close()


def _check(
    network: Namespaces,
    what: str,
    asked: float,
    state: LinkState,
    measure: Callable[..., float],
    amount: float,
) -> LinkCheck:
    try:
        network.apply({("a", "b"): state})
        achieved = isolated(partial(measure, network, "a", "b", amount), _DEADLINE_S)
        return LinkCheck(what, asked, round(achieved, 4))
    except (NetworkError, Failed) as error:
        return LinkCheck(what, asked, None, str(error))


# -- the program -----------------------------------------------------------------------

_REPEATS = 5
_REPEAT_DEADLINE_S = 60.0
_PEERS = 20


def main() -> None:
    """Measure everything and print the table."""
    _print("set-up of 20 peers, s", [_set_up_s() for _ in range(_REPEATS)])
    network = Namespaces(["a", "b"])
    print(f"congestion control {network.congestion}, delay by {network.delay_by}")
    try:
        for rate in (1.0, 5.0, 20.0, 100.0, 500.0):
            limit = LinkState(rate_mbit_s=rate)
            _repeat(network, f"rate {rate:g} Mbit/s", limit, rate_mbit_s, 3.0)
        for share in (0.01, 0.02, 0.05, 0.1, 0.3):
            _repeat(network, f"loss {share:g}", LinkState(loss=share), loss, 20_000)
        for delay_ms in (1.0, 5.0, 20.0, 100.0):
            late = LinkState(delay_ms=delay_ms)
            _repeat(network, f"delay {delay_ms:g} ms", late, median_delay_ms, 200)
        for what, state in (
            ("no limit", LinkState()),
            ("delay 20 ms", LinkState(delay_ms=20)),
            ("delay 20 ms, loss 0.02", LinkState(delay_ms=20, loss=0.02)),
        ):
            _repeat(network, f"{what}: Mbit/s", state, rate_mbit_s, 6.0)
    finally:
        network.close()


def _set_up_s() -> float:
    began_s = time.monotonic()
    network = Namespaces([f"p{i}" for i in range(_PEERS)])
    took_s = time.monotonic() - began_s
    network.close()
    return took_s


def _repeat(
    network: Namespaces, what: str, state: LinkState, measure: Callable[..., float], amount: float
) -> None:
    network.apply({("a", "b"): state})
    call = partial(measure, network, "a", "b", amount)
    _print(what, [isolated(call, _REPEAT_DEADLINE_S) for _ in range(_REPEATS)])


def _print(what: str, values: Sequence[float]) -> None:
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:32} {middle:10.4g}   {low:.4g} to {high:.4g}   n = {len(values)}", flush=True)


if __name__ == "__main__":
    main()
