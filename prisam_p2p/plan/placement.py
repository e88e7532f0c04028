"""Which host each peer of a run lives on: a pure function of plan and hosts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostOffer:
    """A host that an engine can give.

    Attributes:
        name: h1, h2, .. in the engine's order, or the name that the topology's [hosts] gives.
        node: the engine's name for it.
        address: IP address under which the other hosts reach it.
        cores, memory_mib, gpus: what the engine can give of it now.
    """

    name: str
    node: str
    address: str
    cores: int
    memory_mib: int
    gpus: int = 0
