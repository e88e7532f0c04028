"""Ray and Slurm as engines on three hosts: what they offer, start, lose and leave behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import NODE_CPUS, RayCluster
from slurm_cluster import SlurmCluster
from three_hosts import Host, HostedProcess, ThreeHosts
from waiting import wait_until

pytestmark = pytest.mark.hosts

_SCRIPT = Path(__file__).with_name("use_engine.py")
_ALLOCATION = ["salloc", "--quiet", "--nodes=3", "--ntasks-per-node=1", "--no-kill"]
_ALLOCATION += [f"--cpus-per-task={NODE_CPUS}", "--mem=2000"]
_AGENT = "-m prisam_p2p.hosts.agent"


class EngineUser:
    """A process on h1 that uses the engine (use_engine.py), and what it tells."""

    def __init__(self, cluster: RayCluster | SlurmCluster, log: Path) -> None:
        self.hosts, self._log = cluster.hosts, log
        inside = _ALLOCATION if cluster.name == "slurm" else []
        self.process = self.hosts["h1"].start(
            *(*inside, sys.executable, _SCRIPT, cluster.name),
            log=log,
            environment=cluster.environment,
        )

    def told(self, what: str) -> list[Any]:
        """Return all that it has told of this."""
        lines = [json.loads(x) for x in self._log.read_text().splitlines() if x.startswith("{")]
        return [each[what] for each in lines if what in each]

    def await_all(self, what: str, number: int) -> list[Any]:
        """Return what it has told of this when it is as much."""
        wait_until(
            lambda: len(self.told(what)) >= number or self.process.poll() is not None,
            90,
            f"{number} {what}",
        )
        found = self.told(what)
        assert len(found) == number, self._log.read_text()
        return found

    def close(self) -> None:
        """Have it close the engine, if it has not, and wait until nothing of it is left."""
        asked = self.hosts["h1"].tmp / "close"
        asked.touch()
        wait_until(lambda: not _left(self.hosts), 30, "what was started to end")
        self.process.wait(30)
        asked.unlink()
        self._log.unlink()

    def kill(self) -> None:
        """SIGKILL it, and not what started it."""
        (me,) = [
            each for each in self.hosts["h1"].processes() if each.command.startswith(_command())
        ]
        os.kill(me.pid, signal.SIGKILL)


def _command() -> str:
    return f"{sys.executable} {_SCRIPT}"


def _agents(host: Host) -> list[HostedProcess]:
    """Return the agents on a host, without the srun of one."""
    here = host.processes()
    return [x for x in here if _AGENT in x.command and not x.command.startswith("srun")]


def _left(hosts: ThreeHosts) -> list[str]:
    """Return what is left of ours anywhere."""
    marks = ("prisam_p2p", _SCRIPT.name)
    here = [each for host in hosts for each in host.processes()]
    return [each.command for each in here if any(mark in each.command for mark in marks)]


@pytest.fixture
def user(cluster: RayCluster | SlurmCluster) -> Iterator[EngineUser]:
    """Return a user of the engine whose agents have greeted."""
    started = EngineUser(cluster, cluster.hosts.folder / f"use-{cluster.name}.log")
    try:
        started.await_all("hello", 3)
        yield started
    finally:
        started.close()


def test_hosts_are_offered_and_a_lost_agent_is_told_and_close_leaves_nothing(user) -> None:
    (offers,), (address,) = user.told("offers"), user.told("address")
    assert [each["address"] for each in offers] == ["10.77.0.1", "10.77.0.2", "10.77.0.3"]
    assert {each["cores"] for each in offers} == {NODE_CPUS}
    assert all(each["memory_mib"] > 1000 for each in offers)
    assert address == "10.77.0.1"
    hellos = user.told("hello")
    assert sorted(each["host"] for each in hellos) == ["h1", "h2", "h3"]
    assert len({each["public_key"] for each in hellos}) == 3

    (agent,) = _agents(user.hosts["h2"])
    os.kill(agent.pid, signal.SIGKILL)
    ((lost, why),) = user.await_all("lost", 1)
    assert (lost, "agent ended" in why) == ("h2", True)
    assert [len(_agents(host)) for host in user.hosts] == [1, 0, 1]

    (user.hosts["h1"].tmp / "close").touch()
    user.await_all("closed", 1)
    assert user.told("lost") == [[lost, why]]
    assert not any(_agents(host) for host in user.hosts)


def test_the_agents_end_when_the_launcher_is_killed(user) -> None:
    assert [len(_agents(host)) for host in user.hosts] == [1, 1, 1]
    user.kill()
    wait_until(lambda: not _left(user.hosts), 20, "the agents to end with their launcher")
