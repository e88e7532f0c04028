"""Ray as the engine of hosts, behind a helper process (ray_driver.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from prisam_p2p.errors import ConfigError, LaunchError
from prisam_p2p.hosts.engines.agent_processes import hello_of
from prisam_p2p.hosts.engines.interface import AgentHello
from prisam_p2p.hosts.engines.ray_client import WHO, RayClient
from prisam_p2p.hosts.engines.ray_nodes import offers_of
from prisam_p2p.plan.placement import HostOffer

_CONNECT_S = 60.0
_PLACE_S = 30.0
_ANSWER_S = 15.0
"""Beyond what Ray itself is given."""


class RayEngine:
    """Hosts are the nodes of a Ray cluster that runs already.

    This process must be on one of them: it is reached at that node's address.

    Args:
        address: HOST:PORT of the cluster's head, or auto, which finds the cluster of this host;
            None = what RAY_ADDRESS says, else auto.

    Raises:
        ConfigError: Ray is not installed, or there is no such address.
    """

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        if find_spec("ray") is None:
            right = "an engine that is installed: ray is not; pip install 'prisam-p2p[ray]'"
            raise ConfigError("--on", "", self.name, right)
        self._address = _checked(address or os.environ.get("RAY_ADDRESS") or "auto")
        self._driver: RayClient | None = None
        self._launcher_address = ""
        self._names: list[str] = []
        self._hellos: list[AgentHello] = []
        self._lost: list[tuple[str, str]] = []

    def offers(self) -> list[HostOffer]:
        """See HostEngine. The head's node comes first."""
        found = self._connected()
        self._launcher_address = found["address"]
        offers = offers_of(found["nodes"])
        if not offers:
            raise ConfigError(
                "--on", "", self.name, f"a node with a CPU free: {_counts(found['nodes'])}"
            )
        return offers

    def _connected(self) -> dict[str, Any]:
        if self._driver is None:
            self._driver = RayClient()
        try:
            return self._driver.ask({"connect": self._address}, "nodes", _CONNECT_S)
        except LaunchError as error:
            self.close()
            why = error.reason.rstrip(". ")
            right = (
                f"a Ray cluster that this host is a node of; at {self._address} (RAY_ADDRESS, "
                f"else auto): {why}. `ray start --head` starts one on this host, and "
                "`ray start --address=HOST:6379` on another adds that to it"
            )
            raise ConfigError("--on", "", self.name, right) from None

    def launcher_address(self) -> str:
        """See HostEngine."""
        if not self._launcher_address:
            self.offers()
        return self._launcher_address

    def start(self, hosts: Sequence[HostOffer], arguments: Sequence[str]) -> None:
        """See HostEngine. Reserves the cores, memory and GPUs that `hosts` name."""
        if self._driver is None:
            self.offers()
        assert self._driver
        self._names = [each.name for each in hosts]
        asked = {
            "hosts": [asdict(each) for each in hosts],
            "arguments": list(arguments),
            "timeout_s": _PLACE_S,
        }
        self._driver.ask({"start": asked}, "started", _PLACE_S + _ANSWER_S)

    def hellos(self) -> list[AgentHello]:
        """See HostEngine."""
        self._hear()
        heard, self._hellos = self._hellos, []
        return heard

    def lost(self) -> list[tuple[str, str]]:
        """See HostEngine. Without the helper process all are lost: Ray ends its actors."""
        self._hear()
        lost, self._lost = self._lost, []
        return lost

    def _hear(self) -> None:
        if self._driver is None:
            return
        for each in self._driver.events():
            match each:
                case {"hello": [host, text]}:
                    self._take_hello(host, text)
                case {"lost": [host, why]}:
                    self._lose(host, why)
        if self._driver.has_ended:
            for host in list(self._names):
                self._lose(host, f"{WHO} ended: {' '.join(self._driver.last_lines())}")

    def _take_hello(self, host: str, text: str) -> None:
        try:
            self._hellos.append(hello_of(host, text))
        except ValueError as error:
            self._lose(host, str(error))

    def _lose(self, host: str, why: str) -> None:
        if host in self._names:
            self._names.remove(host)
            self._lost.append((host, why))

    def close(self) -> None:
        """See HostEngine."""
        if self._driver is not None:
            self._driver.close()
        self._driver, self._names = None, []


def _checked(address: str) -> str:
    """Return an address that a driver can join.

    Raises:
        ConfigError: it is another thing, such as the address of a Ray client's server.
    """
    host, _, port = address.rpartition(":")
    if address == "auto" or (host and port.isdigit() and "://" not in host):
        return address
    right = "auto, or HOST:PORT of the head of a cluster that this host is a node of"
    raise ConfigError("RAY_ADDRESS", "", address, right)


def _counts(nodes: Sequence[dict[str, Any]]) -> str:
    """Say what is free on each node."""
    free = [f"{each['address']} has {each['free'].get('CPU', 0):g} free" for each in nodes]
    return ", ".join(free) or "the cluster has no node"
