"""What an engine of hosts does: it offers hosts, starts an agent on each, and tells of lost ones.

Placement of peers, supervision of processes and all that is measured is ours; which hosts there are
and who may use them is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.plan.placement import HostOffer


@dataclass(frozen=True)
class AgentHello:
    """The line that an agent prints first, as JSON: which it is, and how it proves itself.

    Attributes:
        host: h1, h2, ..
        public_key: of its CURVE pair, Z85 text, made by this agent.
    """

    host: str
    public_key: str


class HostEngine(Protocol):
    """Ray, Slurm, or this machine alone.

    An agent's standard input stays open while the engine wants it to live: its end ends the agent.

    Attributes:
        name: as `--on` has it.
    """

    name: str

    def offers(self) -> list[HostOffer]:
        """Return the hosts that can be used, in an order that does not change.

        Raises:
            ConfigError: there is no such engine here, no allocation, or no host is free.
        """

    def launcher_address(self) -> str:
        """Return the IP address under which the hosts reach the launcher."""

    def start(self, hosts: Sequence[HostOffer], arguments: Sequence[str]) -> None:
        """Start `python -m prisam_p2p.hosts.agent --host NAME *arguments` on each host.

        Raises:
            LaunchError: the engine does not give these hosts, within its own time.
        """

    def hellos(self) -> list[AgentHello]:
        """Return the agents that have printed their line since the last call; never waits."""

    def lost(self) -> list[tuple[str, str]]:
        """Return (host, why) of agents that have ended since the last call; never waits.

        It tells only what the engine has noticed: the lease may be over long before.
        """

    def close(self) -> None:
        """End the agents that are left, and free the hosts. Takes seconds at most."""
