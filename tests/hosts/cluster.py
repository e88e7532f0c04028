"""What an engine on the three hosts has to do for tests, Ray's or Slurm's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from three_hosts import HostedProcess, ThreeHosts


class Cluster(ABC):
    """An engine with a node on each host; h1 is its head.

    Attributes:
        name: as `--on` has it.
        daemon: what the engine's process of a node is called.
        environment: of a command on h1 that uses the engine.
    """

    name: ClassVar[str]
    daemon: ClassVar[str]
    environment: dict[str, str]

    def __init__(self, hosts: ThreeHosts) -> None:
        self.hosts = hosts
        self._boots: dict[str, int] = {}

    def be_whole(self) -> None:
        """Boot the hosts and start the engine, unless all is as it was after the last time."""
        if not self._is_whole():
            self.hosts.reboot()
            self.start()
            self._boots = {host.name: host.boots for host in self.hosts}

    def _is_whole(self) -> bool:
        return (
            self._boots == {host.name: host.boots for host in self.hosts}
            and all(host.is_whole for host in self.hosts)
            and all(self.daemon in {p.name for p in host.processes()} for host in self.hosts)
            and len(self.alive()) == len(self._boots)
        )

    @staticmethod
    @abstractmethod
    def why_not() -> str:
        """Return why the engine is not installed here, "" if it is."""

    @abstractmethod
    def start(self) -> None:
        """Start the engine on all hosts, and wait until each has a node."""

    @abstractmethod
    def alive(self) -> set[str]:
        """Return the hosts whose nodes can be used, as the engine's head tells it."""

    @abstractmethod
    def hostnames(self) -> list[str]:
        """Return what `hostname` says on each node, asked through the engine."""

    @abstractmethod
    def launcher(self, command: list[str]) -> list[str]:
        """Return what a user runs on h1 for `command` to use the engine; it ends with that."""

    @abstractmethod
    def is_of_the_engine(self, process: HostedProcess) -> bool:
        """Tell whether a process is the engine's own."""
