"""A real Ray cluster on the three hosts: a node each, h1 the head."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from cluster import Cluster
from secrets_search import ENVIRONMENT
from three_hosts import Host, HostedProcess, ThreeHosts

PORT = 6379
NODE_CPUS = 8  # what a node offers; the machine below has fewer
_ENVIRONMENT = {
    **ENVIRONMENT,
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node is given up seconds after it has gone silent; by default it takes a minute.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class RayCluster(Cluster):
    """Ray on h1, h2 and h3."""

    name = "ray"
    daemon = "raylet"

    def __init__(self, hosts: ThreeHosts) -> None:
        super().__init__(hosts)
        self._address = f"{hosts['h1'].address}:{PORT}"
        self.environment = {"RAY_ADDRESS": self._address, **_ENVIRONMENT}

    @staticmethod
    def why_not() -> str:
        """Return why there is no Ray here, "" if there is."""
        return "" if find_spec("ray") else "Ray is not installed: pip install 'prisam-p2p[ray]'"

    def start(self) -> None:
        """Start the head, then the workers, and wait until the cluster has them."""
        head, *workers = self.hosts
        self._join(head)
        with ThreadPoolExecutor() as threads:
            list(threads.map(self._join, workers))

    def launcher(self, command: list[str]) -> list[str]:
        """Return what a user runs on h1 for `command` to use Ray."""
        return [*command, "--on", self.name]

    def is_of_the_engine(self, process: HostedProcess) -> bool:
        """Tell whether a process is Ray's own: a worker in store, or a daemon."""
        theirs = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent")
        return process.command.startswith(theirs) or "/site-packages/ray/" in process.command

    def hostnames(self) -> list[str]:
        """Return what `hostname` says on each node, asked through Ray."""
        return self._driver(_HOSTNAMES)

    def alive(self) -> set[str]:
        """Return the hosts whose nodes live, as Ray's head tells it."""
        addresses = self._driver(_ADDRESSES)
        return {host.name for host in self.hosts if host.address in addresses}

    def _driver(self, code: str) -> list[str]:
        done = self.hosts["h1"].run(
            *("python", "-c", _CONNECT + code), environment=self.environment, timeout_s=60
        )
        return [line.removeprefix("> ") for line in done.stdout.splitlines() if line[:2] == "> "]

    def _join(self, host: Host) -> None:
        head = host.name == "h1"
        role = ["--head", f"--port={PORT}"] if head else [f"--address={self._address}"]
        host.run(
            *("ray", "start", *role, f"--node-ip-address={host.address}"),
            *(["--include-dashboard=false", "--temp-dir=/tmp/ray"] if head else []),
            *("--node-manager-port=6380", "--object-manager-port=6381"),
            *("--min-worker-port=20000", "--max-worker-port=20999"),
            *(f"--num-cpus={NODE_CPUS}", "--num-gpus=0", f"--memory={2 << 30}"),
            *(f"--object-store-memory={80 << 20}", "--disable-usage-stats"),
            environment=_ENVIRONMENT,
            timeout_s=90,
        )


_CONNECT = """
import platform
import ray
ray.init(log_to_driver=False, logging_level="ERROR")
alive = [node for node in ray.nodes() if node["Alive"]]
"""
_ADDRESSES = """
for node in alive:
    print(">", node["NodeManagerAddress"])
"""
_HOSTNAMES = """
name = ray.remote(platform.node)
there = [{f"node:{node['NodeManagerAddress']}": 0.01} for node in alive]
for hostname in ray.get([name.options(resources=each).remote() for each in there]):
    print(">", hostname)
"""
