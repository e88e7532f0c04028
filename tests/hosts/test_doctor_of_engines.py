"""`prisam doctor --on ray` and `--on slurm` on three hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from ray_cluster import RayCluster
from slurm_cluster import NODE_CPUS, SlurmCluster

pytestmark = pytest.mark.hosts

_PRISAM = [sys.executable, "-c", "from prisam_p2p.cli import main; main()"]
_REFUSES_H3 = """
table ip doctor {
    chain in {
        type filter hook input priority 0
        ip saddr 10.77.0.3 tcp dport 1024-65535 tcp flags & (syn | ack) == syn reject
    }
}
"""
_NAMES = ("h1", "h2", "h3")


def _doctor(cluster: RayCluster | SlurmCluster) -> subprocess.CompletedProcess[str]:
    inside = ["salloc", "--quiet", "--nodes=3", "--ntasks-per-node=1", "--no-kill", "--mem=2000"]
    inside = [*inside, f"--cpus-per-task={NODE_CPUS}"] if cluster.name == "slurm" else []
    return cluster.hosts["h1"].run(
        *(*inside, *_PRISAM, "doctor", "--on", cluster.name, "--format", "json"),
        environment=cluster.environment,
        timeout_s=150,
        check=False,
    )


def _told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_hosts_that_reach_each_other_can_be_used(cluster: RayCluster | SlurmCluster) -> None:
    done = _doctor(cluster)
    told = _told(done)
    assert (told["usable"], done.returncode) == (True, 0)
    assert told["launcher_address"] == "10.77.0.1"
    assert [(each["name"], each["mtu"]) for each in told["hosts"][1:]] == [
        ("h2", 1500),
        ("h3", 1500),
    ]
    assert all(0 < each["clock_bound_s"] < 1 for each in told["hosts"])
    assert {each["kernel"] for each in told["hosts"]} == {""}
    ways = {(each["source"], each["target"]): each for each in told["ways"]}
    assert set(ways) == {(a, b) for a in _NAMES for b in _NAMES if a != b}
    assert all(each["mbit_s"] > 0 and len(each["rtt_ms"]) == 20 for each in ways.values())
    assert not any("prisam" in each.command for host in cluster.hosts for each in host.processes())


def test_a_closed_port_is_named_with_both_hosts(cluster: RayCluster | SlurmCluster) -> None:
    cluster.hosts["h2"].run("nft", _REFUSES_H3)
    try:
        done = _doctor(cluster)
    finally:
        cluster.hosts["h2"].run("nft", "delete table ip doctor")
    told = _told(done)
    forbidding = [each["where"] for each in told["lacks"] if each["forbids"]]
    assert (forbidding, told["usable"], done.returncode) == (["h3 to h2"], False, 1)
