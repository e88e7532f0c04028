"""Print what links in namespaces do against what they were asked: the table of docs/network.md.

    python -m prisam_p2p.emulate.network.measuring

It takes about two minutes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from prisam_p2p.emulate.network import fidelity
from prisam_p2p.emulate.network.isolated import isolated
from prisam_p2p.emulate.network.link_state import LinkState
from prisam_p2p.emulate.network.namespaces import Namespaces

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
