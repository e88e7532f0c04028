"""Slurm as the engine of hosts: the nodes of the allocation that the launcher runs in.

It needs Slurm's commands only: scontrol, sinfo, srun.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address

from prisam_p2p.errors import ConfigError, LaunchError
from prisam_p2p.hosts.engines.agent_processes import AgentProcesses
from prisam_p2p.hosts.engines.interface import AgentHello
from prisam_p2p.hosts.engines.slurm_nodes import (
    allotments,
    environment_for_srun,
    is_lost,
    node_fields,
    offers_of,
    srun_command,
)
from prisam_p2p.plan.placement import HostOffer
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

_COMMAND_S = 20.0
_END_S = 5.0
_LOOK_EVERY_S = 5.0
_AGENT = "prisam_p2p.hosts.agent"
_TO_DO = "sbatch examples/prisam.sbatch TOPOLOGY (or salloc --nodes=3 --no-kill, then this command)"


class SlurmEngine:
    """Hosts are the nodes of an allocation. The launcher is best its batch step.

    Slurm ends the agents with the job. A job without --no-kill ends when one of its nodes fails.

    Raises:
        ConfigError: Slurm's commands are not here, or this is no allocation.
    """

    name = "slurm"

    def __init__(self) -> None:
        if missing := [each for each in ("scontrol", "sinfo", "srun") if not shutil.which(each)]:
            right = f"an engine whose commands are here: {', '.join(missing)} not found in PATH"
            raise ConfigError("--on", "", self.name, right)
        self._job = os.environ.get("SLURM_JOB_ID", "")
        if not self._job:
            right = f"a command inside an allocation, where SLURM_JOB_ID is set: {_TO_DO}"
            raise ConfigError("--on", "", self.name, right)
        self._environment = environment_for_srun(os.environ)
        self._agents = AgentProcesses()
        self._offers: list[HostOffer] = []
        self._states = _NodeStates(self._environment)
        self._nodes: dict[str, str] = {}

    def offers(self) -> list[HostOffer]:
        """See HostEngine: in the order of the allocation."""
        job = self._told("scontrol", "show", "job", "-d", "-o", self._job)
        allotted = allotments(job, self._expanded)
        if not allotted:
            raise ConfigError(
                "SLURM_JOB_ID", "", self._job, f"a job that runs, with its nodes: {_TO_DO}"
            )
        fields = node_fields(self._told("scontrol", "show", "node", "-o", ",".join(allotted)))
        nodes = [each for each in allotted if each in fields]
        addresses = _addresses({each: fields[each]["NodeAddr"] for each in nodes})
        self._offers = offers_of(nodes, allotted, fields, addresses)
        if not self._offers:
            raise ConfigError("--on", "", self.name, "a node that is up: all of the job are down")
        return self._offers

    def launcher_address(self) -> str:
        """See HostEngine: the address from which this host reaches the first of them."""
        offers = self._offers or self.offers()
        return _source_address(offers[0].address)

    def start(self, hosts: Sequence[HostOffer], arguments: Sequence[str]) -> None:
        """See HostEngine: a step of the job for each host."""
        version = self._told("srun", "--version")
        environment = environment_for_srun(child_environment())
        for host in hosts:
            agent = [*CHILD_PYTHON, "-m", _AGENT, "--host", host.name, *arguments]
            command = srun_command(version, self._job, host, agent)
            try:
                self._agents.start(host.name, command, environment)
            except OSError as error:
                raise LaunchError(f"srun on {host.node}", str(error)) from error
            self._nodes[host.node] = host.name

    def hellos(self) -> list[AgentHello]:
        """See HostEngine."""
        return self._agents.hellos()

    def lost(self) -> list[tuple[str, str]]:
        """See HostEngine: its srun has ended, or its node is down."""
        for node, state in self._states.look(list(self._nodes), time.monotonic()).items():
            if is_lost(state):
                self._agents.lose(self._nodes.pop(node), f"Slurm says that {node} is {state}")
        return self._agents.lost()

    def close(self) -> None:
        """See HostEngine."""
        self._agents.end(_END_S)
        self._states.close()

    def _expanded(self, nodes: str) -> list[str]:
        return self._told("scontrol", "show", "hostnames", nodes).split()

    def _told(self, *command: str) -> str:
        """Return what one of Slurm's commands prints.

        Raises:
            ConfigError: it failed; says how.
        """
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_COMMAND_S,
                env=self._environment,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            why = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
            raise ConfigError(
                "--on", "", self.name, f"that `{' '.join(command)}` works: {why}"
            ) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(
                "--on", "", self.name, f"that `{command[0]}` works: {error}"
            ) from None
        return done.stdout


class _NodeStates:
    """Asks Slurm every few seconds what state the nodes are in, without waiting for the answer."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._asking: subprocess.Popen[str] | None = None
        self._asked_s = float("-inf")

    def look(self, nodes: Sequence[str], now_s: float) -> dict[str, str]:
        """Return node -> state where an answer has come; ask anew when it is time."""
        if self._asking is not None:
            return self._answer(now_s)
        if nodes and now_s - self._asked_s >= _LOOK_EVERY_S:
            self._asked_s = now_s
            with suppress(OSError):  # the next time may do; srun tells of most ends anyway
                self._asking = subprocess.Popen(
                    [
                        "sinfo",
                        "--noheader",
                        "--Node",
                        f"--nodes={','.join(nodes)}",
                        "--format=%N %T",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=self._environment,
                    start_new_session=True,
                )
        return {}

    def _answer(self, now_s: float) -> dict[str, str]:
        assert self._asking
        if self._asking.poll() is None:
            if now_s - self._asked_s > _COMMAND_S:
                self.close()
            return {}
        assert self._asking.stdout
        with self._asking.stdout as output:
            lines = [line.split() for line in output]
        self._asking = None
        return {each[0]: each[1] for each in lines if len(each) == 2}

    def close(self) -> None:
        """Give up an answer that is awaited."""
        if self._asking is not None:
            self._asking.kill()
            self._asking.wait()
        self._asking = None


def _addresses(names: Mapping[str, str]) -> dict[str, str]:
    """Return node -> IP address under which the other nodes reach it.

    Where a host knows its own name as 127.0.1.1 (Debian), the address that it has towards another.

    Args:
        names: node -> NodeAddr, an IP address or a name.
    """
    found = {}
    for node, name in names.items():
        try:
            found[node] = str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            right = f"nodes with an address that this host knows: {error}"
            raise ConfigError("Slurm", f"NodeAddr of {node}", name, right) from None
    outside = next((each for each in found.values() if not ip_address(each).is_loopback), None)
    if outside is None:
        return found  # all on this machine
    return {
        node: _source_address(outside) if ip_address(each).is_loopback else each
        for node, each in found.items()
    }


def _source_address(towards: str) -> str:
    """Return the address from which this host reaches another; nothing is sent."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((towards, 9))
        return str(probe.getsockname()[0])
