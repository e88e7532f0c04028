"""Measure what several hosts cost over one: the same 24 peers on one host and on three.

    sudo python benchmarks/hosts.py [--repeats N] [--format json]

The three hosts are namespaces of this machine (tests/hosts/), so all of them share its cores: what
it shows is the work added by agents, encryption and the network's code, never a gain of speed. On
one host there is no engine. Runs alternate. CPU time is that of all processes on all hosts, by a
cgroup of their own, with the engine's daemons; what those take in a second of rest stands beside.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / each) for each in ("hosts", "helpers")]

from cluster import Cluster  # noqa: E402
from hosted_run import HostedRun  # noqa: E402
from ray_cluster import RayCluster  # noqa: E402
from slurm_cluster import SlurmCluster  # noqa: E402
from three_hosts import ThreeHosts, three_hosts, why_no_hosts  # noqa: E402

NETWORK = {"peers": 24, "rounds": 6, "links": 'generator = "k-regular"\ndegree = 8'}
REST_S = 10.0


class NoEngine:
    """No engine: all peers are on h1."""

    name = "one host"
    environment: Mapping[str, str] = {}

    def __init__(self, hosts: ThreeHosts) -> None:
        self.hosts = hosts

    @staticmethod
    def why_not() -> str:
        """Return "": it is there."""
        return ""

    def start(self) -> None:
        """Start nothing."""

    def launcher(self, command: list[str]) -> list[str]:
        """Return the command as it is: without --on."""
        return command


class Accounting:
    """The CPU time of this process and of all that it starts from now on, daemons included."""

    def __init__(self) -> None:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        roots = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
        if not roots:
            raise click.ClickException("no cgroup2 is mounted: nothing counts CPU time of groups")
        self._root = Path(roots[0])
        self._group = self._root / f"prisam-benchmark-{os.getpid()}"
        self._group.mkdir()
        (self._group / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_s(self) -> float:
        """Return the CPU time so far."""
        (line, *_) = (self._group / "cpu.stat").read_text().splitlines()
        return int(line.split()[1]) / 1e6

    def close(self) -> None:
        """Leave the group, and remove it."""
        (self._root / "cgroup.procs").write_text(str(os.getpid()))
        self._group.rmdir()


def measure(cluster: Cluster | NoEngine, accounting: Accounting) -> dict[str, float]:
    """Launch the network; return seconds."""
    before, began = accounting.cpu_s(), time.monotonic()
    run = HostedRun(cluster, "--quiet", **NETWORK)
    if run.wait(300):
        raise click.ClickException(run.printed())
    wall_s, cpu_s = time.monotonic() - began, accounting.cpu_s() - before
    (ready,) = run.records("launcher", "all_ready")
    (over,) = run.records("launcher", "run_ended")
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "ready_s": ready["t_s"],
        "rounds_s": over["t_s"] - ready["t_s"],
    }


@contextmanager
def started(kind: type[Cluster | NoEngine], hosts: ThreeHosts) -> Iterator[Cluster | NoEngine]:
    """Start an engine on the hosts, and end it with them."""
    cluster = kind(hosts)
    hosts.reboot()
    cluster.start()
    yield cluster
    hosts.reboot()


def at_rest(accounting: Accounting) -> float:
    """Return the CPU time that a second takes while no run goes on."""
    before = accounting.cpu_s()
    time.sleep(REST_S)
    return (accounting.cpu_s() - before) / REST_S


@click.command()
@click.option("--repeats", default=3, help="Runs of each kind. [3]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(repeats: int, output: str) -> None:
    """Compare 24 peers on one host with the same on three, by Ray and by Slurm."""
    if reason := why_no_hosts():
        raise click.ClickException(reason)
    kinds = [NoEngine, *(kind for kind in (RayCluster, SlurmCluster) if not kind.why_not())]
    rows: dict[str, list[dict[str, float]]] = {kind.name: [] for kind in kinds}
    rest: dict[str, float] = {}
    accounting = Accounting()
    with tempfile.TemporaryDirectory() as folder, three_hosts(Path(folder)) as hosts:
        for _ in range(repeats):
            for kind in kinds:
                with started(kind, hosts) as cluster:
                    rest[kind.name] = at_rest(accounting)
                    rows[kind.name].append(measure(cluster, accounting))
    accounting.close()
    result = {"hardware": f"{platform.machine()}, {os.cpu_count()} cores", "runs": rows}
    result |= {"cpu_s_at_rest": rest, "ratios": ratios(rows)}
    print(json.dumps(result) if output == "json" else table(result))


def ratios(rows: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return engine -> the ratio of medians, over one host, of each figure."""
    one, *engines = rows
    medians = {
        name: {key: statistics.median(x[key] for x in runs) for key in runs[0]}
        for name, runs in rows.items()
    }
    return {
        name: {key: value / medians[one][key] for key, value in medians[name].items()}
        for name in engines
    }


def table(result: dict) -> str:
    """Return the figures as text: each run's, and the ratios."""
    lines = [f"{result['hardware']}; three hosts share these cores"]
    for name, runs in result["runs"].items():
        figures = "; ".join(f"{key} {', '.join(f'{x[key]:.2f}' for x in runs)}" for key in runs[0])
        lines.append(f"{name}: {figures}; at rest {result['cpu_s_at_rest'][name]:.3f} CPU s a s")
    for name, each in result["ratios"].items():
        told = ", ".join(f"{key.removesuffix('_s')} {value:.2f}" for key, value in each.items())
        lines.append(f"{name} over one host: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
