"""The file for sbatch that is shipped makes a run of the nodes that it asks for."""

from __future__ import annotations

import json

import pytest
from slurm_cluster import NODE_CPUS, SlurmCluster
from three_hosts import CHECKOUT

pytestmark = pytest.mark.hosts


@pytest.mark.parametrize("engine", [SlurmCluster], indirect=True, ids=["slurm"])
def test_the_shipped_file_runs_a_network_on_its_nodes(cluster: SlurmCluster) -> None:
    head = cluster.hosts["h1"]
    done = head.run(
        *("sbatch", "--wait", f"--cpus-per-task={NODE_CPUS}", "--mem=3000"),
        *("--output=/tmp/example.out", CHECKOUT / "examples/prisam.sbatch"),
        *("ring-8", "--rounds", "1", "--baseline", "none"),
        environment=cluster.environment,
        timeout_s=150,
        check=False,
    )
    printed = (head.tmp / "example.out").read_text()
    assert done.returncode == 0, printed
    (folder,) = (head.tmp / "runs").glob("slurm-*")
    plan = json.loads((folder / "plan.json").read_text())
    assert set(plan["hosts"]["placement"].values()) == {"h1", "h2", "h3"}
    assert "0 B unexplained" in printed
