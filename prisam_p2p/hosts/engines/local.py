"""This machine as if it were several hosts: each has an address, a share of cores and of memory."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from psutil import virtual_memory

from prisam_p2p.errors import LaunchError
from prisam_p2p.hosts.engines.agent_processes import AgentProcesses
from prisam_p2p.hosts.engines.interface import AgentHello
from prisam_p2p.hosts.gpus import VISIBLE, gpus_of
from prisam_p2p.plan.placement import HostOffer
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.host import usable_cores
from prisam_p2p.system.host_limits import HostLimits, host_limits

_AGENT = "prisam_p2p.hosts.agent"
_DEFAULT_HOSTS = 2
_END_S = 5.0
_MIB = 2**20


class LocalEngine:
    """Agents are child processes of the launcher.

    Args:
        hosts: into how many hosts this machine is divided; None = 2.
    """

    name = "local"

    def __init__(self, hosts: int | None = None) -> None:
        self._n_hosts = hosts or _DEFAULT_HOSTS
        self._agents = AgentProcesses()

    def offers(self) -> list[HostOffer]:
        """See HostEngine: equal hosts, the first of which has the GPUs."""
        return divided(
            self._n_hosts, usable_cores(), _limits(), os.getpid(), n_gpus=len(gpus_of(os.environ))
        )

    def launcher_address(self) -> str:
        """See HostEngine."""
        return "127.0.0.1"

    def start(self, hosts: Sequence[HostOffer], arguments: Sequence[str]) -> None:
        """See HostEngine."""
        for host in hosts:
            command = [*CHILD_PYTHON, "-m", _AGENT, "--host", host.name, *arguments]
            hidden = {} if host.gpus else {VISIBLE: ""}  # else it would see those of the first
            try:
                self._agents.start(host.name, command, {**child_environment(), **hidden})
            except OSError as error:
                raise LaunchError(f"agent of {host.name}", str(error)) from error

    def hellos(self) -> list[AgentHello]:
        """See HostEngine."""
        return self._agents.hellos()

    def lost(self) -> list[tuple[str, str]]:
        """See HostEngine."""
        return self._agents.lost()

    def close(self) -> None:
        """See HostEngine."""
        self._agents.end(_END_S)


def divided(
    n_hosts: int, n_cores: int, limits: HostLimits, salt: int, n_gpus: int = 0
) -> list[HostOffer]:
    """Return equal hosts of one machine; each has a core at least.

    Args:
        salt: runs of different salts mostly get different addresses.
    """
    memory = (limits.memory.amount if limits.memory else virtual_memory().total) // _MIB
    return [
        HostOffer(
            name=f"h{index}",
            node=f"local-{index}",
            address=_address(index, salt),
            cores=max(1, n_cores // n_hosts),
            memory_mib=memory // n_hosts,
            gpus=n_gpus if index == 1 else 0,
            threads=limits.threads.amount // n_hosts if limits.threads else None,
            process_files=limits.process_files.amount if limits.process_files else None,
        )
        for index in range(1, n_hosts + 1)
    ]


def _address(index: int, salt: int) -> str:
    """Return an address of 127.0.0.0/8, all of which only Linux has."""
    if sys.platform != "linux":
        return "127.0.0.1"
    return f"127.77.{1 + (salt + (index - 1) // 250) % 250}.{1 + (index - 1) % 250}"


def _limits() -> HostLimits:
    folder = Path(tempfile.gettempdir())
    return host_limits(folder, folder)
