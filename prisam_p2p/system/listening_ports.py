"""Ports at which peers that share an address listen."""

from __future__ import annotations

import random

PORTS = range(10_000, 32_768)
"""Linux gives outgoing connections higher ports (ip_local_port_range): so none takes the port to
which a peer comes back, and none that looks for an absent peer there connects to itself."""

_TRIES = 64


def some_ports() -> list[int]:
    """Return some of `PORTS`, to be tried in turn; Python's global generator is left as it is."""
    return random.Random().sample(PORTS, _TRIES)
