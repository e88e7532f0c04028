"""What a run's journals say so far, read from outside while it runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from prisam_p2p.soak.unplanned.disturbances import HOLDER, LAUNCHER, ZYGOTE

Line = dict[str, Any]


class _Tail:
    """The lines that a growing file gets."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def new_lines(self) -> list[Line]:
        """Return the whole lines since the last call; none while there is no file."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [line for text in whole.splitlines() if (line := _record(text))]


def _record(text: bytes) -> Line | None:
    """Return a line of a journal, None where a full disk has cut it off."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


@dataclass
class RunView:
    """How far a run is, and which processes it has.

    Attributes:
        began, ready, ended: the launcher's journal says that the run began, that all peers are
            connected, that the run is over.
        started: peers that have, or had, a process.
        processes: peer -> its latest process, where that was alive when it was first seen.
        rounds: peer -> rounds that its journal says are over.
        deployed: peers whose journal says that they have their final model.
    """

    run_dir: Path
    began: bool = False
    ready: bool = False
    ended: bool = False
    started: set[str] = field(default_factory=set)
    processes: dict[str, psutil.Process] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    deployed: set[str] = field(default_factory=set)
    _tails: dict[str, _Tail] = field(default_factory=dict)

    def look(self) -> None:
        """Read what the journals have got since the last look."""
        for line in self._new_lines(LAUNCHER):
            match line["record"]:
                case "run_started":
                    self.began = True
                case "all_ready":
                    self.ready = True
                case "run_ended":
                    self.ended = True
                case "peer_started":
                    self._add(line["peer"], line["pid"])
        for peer in self.started:
            for line in self._new_lines(peer):
                if line["record"] == "traffic" and not line["final"]:
                    self.rounds[peer] = self.rounds.get(peer, 0) + 1
                elif line["record"] == "finished":
                    self.rounds[peer] = line["rounds"]  # SIGTERM may end it within a round
                elif line["record"] == "deployed":
                    self.deployed.add(peer)

    def process_of(self, target: str, launcher: psutil.Process) -> psutil.Process | None:
        """Return the process of a target, None while it has none that is known.

        The zygote is the parent of the peers; a launcher that starts its peers itself has none.
        """
        if target == LAUNCHER:
            return launcher
        if target == HOLDER:
            return next((p for p in _children(launcher) if _is_holder(p)), None)
        if target != ZYGOTE:
            return self.processes.get(target)
        for peer in self.processes.values():
            try:
                parent = peer.parent()
            except psutil.NoSuchProcess:
                continue
            if parent and parent != launcher and launcher in parent.parents():
                return parent
        return None

    def _add(self, peer: str, pid: int) -> None:
        self.started.add(peer)
        try:
            self.processes[peer] = psutil.Process(pid)
        except psutil.NoSuchProcess:  # it has ended already
            self.processes.pop(peer, None)

    def _new_lines(self, name: str) -> list[Line]:
        tail = self._tails.setdefault(name, _Tail(self.run_dir / "journal" / f"{name}.jsonl"))
        return tail.new_lines()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.NoSuchProcess:
        return []


def _is_holder(process: psutil.Process) -> bool:
    try:
        return any("netns.holder" in word for word in process.cmdline())
    except psutil.Error:
        return False
