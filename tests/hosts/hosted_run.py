"""A run on the three hosts: launched on h1 by `--on ray` or `--on slurm`, as a user does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from launching import journal, patient
from three_hosts import CHECKOUT, Host, HostedProcess
from waiting import wait_until

NETWORK = """
[peers]
count = {peers}
profiles = ["./fast.toml"]
[links]
{links}
[run]
rounds = {rounds}
groups = 3
images_per_peer = 16
"""
FAST = """
description = "a device that is not slowed down"
source = "none: for tests"
"""
_numbers = count(1)


class HostedRun:
    """A launch on h1 that goes on.

    Attributes:
        folder: its run folder, as this machine has it; `inside` as h1 has it.
        cluster: the engine that it uses.
        log: the file with all that the launcher printed.
    """

    def __init__(self, cluster: Any, *options: object, **network: Any) -> None:
        """Start it.

        Args:
            options: of `prisam launch`, besides the topology, --on and --run-dir.
            network: values in NETWORK.
        """
        name = f"run-{next(_numbers)}"
        self.cluster = cluster
        self.head: Host = cluster.hosts["h1"]
        self.folder = self.head.tmp / name
        self.inside = f"/tmp/{name}"
        self.log = self.head.tmp / f"{name}.log"
        self._before = {each.pid for host in cluster.hosts for each in host.processes()}
        self._process = self.head.start(
            *cluster.launcher(_launch(self.head, name, options, network)),
            log=self.log,
            environment=cluster.environment,
        )

    def wait(self, timeout_s: float = 120) -> int:
        """Return the exit code of the launcher when it has ended."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not over after {timeout_s:g} s:\n{self.printed()}") from None

    def printed(self) -> str:
        """Return what the launcher has printed."""
        return self.log.read_text()

    @property
    def summary(self) -> dict[str, Any]:
        """Its summary.json."""
        return json.loads((self.folder / "summary.json").read_text())

    def records(self, name: str, kind: str) -> list[dict[str, Any]]:
        """Return the records of one kind in a journal: launcher, p03, kernel-h1, .."""
        return [each for each in journal(self.folder, name) if each["record"] == kind]

    def until_round(self, t: int, timeout_s: float = 90) -> None:
        """Wait until some peer has finished round `t`."""

        def reached() -> bool:
            assert self._process.poll() is None, f"over before round {t}:\n{self.printed()}"
            peers = [x["peer"] for x in self.records("launcher", "peer_started")]
            return any(x["round"] >= t for peer in peers for x in self.records(peer, "traffic"))

        wait_until(reached, timeout_s, f"round {t} to be finished")

    def peers_of(self, host: str) -> list[str]:
        """Return the peers that were started on a host."""
        started = self.records("launcher", "peer_started")
        return sorted({x["peer"] for x in started if x["host"] == host})

    def left(self, *names: str) -> list[HostedProcess]:
        """Return the processes on these hosts (all by default) that the launch brought there."""
        hosts = [self.cluster.hosts[name] for name in names or ("h1", "h2", "h3")]
        found = [each for host in hosts for each in host.processes()]
        return [
            each
            for each in found
            if each.pid not in self._before and not self.cluster.is_of_the_engine(each)
        ]

    def nothing_left(self, timeout_s: float, *names: str) -> None:
        """Assert that within `timeout_s` no process is left of what the launch brought there."""
        wait_until(
            lambda: not self.left(*names),
            timeout_s,
            lambda: "the end of:\n" + "\n".join(map(str, self.left(*names))),
        )

    def kill_launcher(self) -> None:
        """SIGKILL the launcher."""
        self._kill("h1", f" {CHECKOUT}/launch.py ", "python ")

    def kill_agent(self, host: str) -> None:
        """SIGKILL the agent on a host, and nothing of what it has started."""
        self._kill(host, " -P -m prisam_p2p.hosts.agent ", "/")

    def _kill(self, host: str, words: str, beginning: str) -> None:
        found = [
            each
            for each in self.cluster.hosts[host].processes()
            if words in each.command and each.command.startswith(beginning)
        ]
        assert len(found) == 1, (words, [*map(str, self.cluster.hosts[host].processes())])
        os.kill(found[0].pid, signal.SIGKILL)

    def end(self) -> None:
        """End it, however far it is."""
        self._process.kill()
        self._process.wait(10)
        for each in self.left():
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)


def write_network(folder: Path, name: str, values: dict[str, Any]) -> Path:
    """Write NETWORK with these values, `patient` if that is asked, and the device profile."""
    values = {"peers": 12, "rounds": 6, "links": 'generator = "full"', **values}
    is_patient = values.pop("is_patient", False)
    (folder / "fast.toml").write_text(FAST)
    path = folder / f"{name}.toml"
    text = NETWORK.format(**values)
    path.write_text(patient(text) if is_patient else text)
    return path


def _launch(head: Host, name: str, options: Sequence[object], network: dict[str, Any]) -> list[str]:
    """Write the topology on the head; return the command that launches it there, without --on."""
    write_network(head.tmp, name, network)
    return [
        *("python", str(CHECKOUT / "launch.py"), f"/tmp/{name}.toml"),
        *("--run-dir", f"/tmp/{name}", *map(str, options)),
    ]
