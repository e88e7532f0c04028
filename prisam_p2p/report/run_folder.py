"""Reads a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.folders import TWIN
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.plan.data_groups import DataGroups, data_groups
from prisam_p2p.wire.message_checks import PEER_ID

Line = dict[str, Any]

KERNEL = "kernel"
"""Name of a kernel's journal; in a run of several hosts, what the names begin with."""


@dataclass(frozen=True)
class RunFolder:
    """A run folder, whether its run completed, was interrupted, or was killed."""

    path: Path

    @cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json.

        Raises:
            ConfigError: this is no run folder, or a peer's id is malformed: files are named by it.
        """
        path = self.path / "plan.json"
        try:
            plan = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise self._not_readable() from error
        if not isinstance(plan, dict):
            raise self._not_readable()
        for peer in plan.get("peers", ()):
            if not PEER_ID.fullmatch(peer):
                raise ConfigError(str(path), "peers", peer, f"text that matches {PEER_ID.pattern}")
        return plan

    @property
    def control_run(self) -> RunFolder | None:
        """The control run (the same plan without faults); None if there was none."""
        path = self.path / TWIN
        return RunFolder(path) if (path / "plan.json").exists() else None

    @cached_property
    def data_groups(self) -> DataGroups:
        """The data group of each peer in each round, as planned."""
        return data_groups(self.plan)

    @property
    def peers(self) -> list[str]:
        """The peers of the plan, ascending."""
        return sorted(self.plan["peers"])

    @cached_property
    def journals(self) -> dict[str, list[Line]]:
        """Peer (and "launcher") -> its records, in the order written."""
        return {name: list(self.lines(name)) for name in [*self.peers, "launcher"]}

    @property
    def kernel(self) -> Iterator[Line]:
        """The records of TCP sockets, of each kernel in turn; `host` is the kernel's host."""
        for name in self.kernels:
            yield from of_host(name, self.lines(name))

    @property
    def kernels(self) -> list[str]:
        """The journals of kernels, ascending: "kernel", or "kernel-HOST" for each host."""
        paths = (self.path / "journal").glob(f"{KERNEL}*.jsonl")
        return sorted(filter(is_kernels, (path.name.removesuffix(".jsonl") for path in paths)))

    def records(self, peer: str, kind: str) -> list[Line]:
        """Return a peer's records of one kind, in the order written."""
        return self._by_kind[peer].get(kind, [])

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, list[Line]]]:
        """Peer -> kind -> its records of that kind."""
        found: dict[str, dict[str, list[Line]]] = {}
        for peer, lines in self.journals.items():
            kinds = found.setdefault(peer, {})
            for line in lines:
                kinds.setdefault(line["record"], []).append(line)
        return found

    def last(self, peer: str, kind: str) -> Line | None:
        """Return a peer's last record of one kind, if it wrote one."""
        found = self.records(peer, kind)
        return found[-1] if found else None

    def ended(self) -> Line | None:
        """Return `run_ended` of the last launch; None if it did not end in order."""
        return self._since("launcher", "run_started", "run_ended")

    def finished(self, peer: str) -> Line | None:
        """Return `finished` of a peer's last process; None if it did not end in order."""
        return self._since(peer, "started", "finished")

    def _since(self, name: str, beginning: str, kind: str) -> Line | None:
        found = None
        for line in self.journals[name]:
            if line["record"] == kind:
                found = line
            elif line["record"] == beginning:
                found = None
        return found

    def _not_readable(self) -> ConfigError:
        return ConfigError(str(self.path), "", "no readable plan.json", "a run folder")

    def lines(self, name: str) -> Iterator[Line]:
        """Read a journal from its file, line by line; none where there is no such file."""
        path = self.path / "journal" / f"{name}.jsonl"
        if path.exists():
            yield from read_journal(path)


def is_kernels(journal: str) -> bool:
    """Tell whether a journal of this name is that of a kernel."""
    return journal == KERNEL or journal.startswith(f"{KERNEL}-")


def of_host(journal: str, lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a kernel's journal, with the host that its name tells."""
    host = journal.partition("-")[2]
    for line in lines:
        yield {**line, "host": host} if host else line
