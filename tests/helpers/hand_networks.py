"""Run folders of many peers, made by hand: each peer's end is given, in the order of its name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.report.run_folder import RunFolder

ROUNDS = 40
PROFILES = ("raspberry-pi-zero-2w", "laptop")
PROFILE = {
    **dict.fromkeys(("speed", "memory_mib", "storage_mib", "macs", "up_mbit_s", "down_mbit_s")),
    "storage_share": 0.5,
    "macs_share": None,
}


@dataclass
class End:
    """How a peer ended: after how many rounds, its process' exit code, and its final state.

    Attributes:
        code: None: its process did not end before the launcher's last line.
        reason: what its last record says; None: it wrote no such record.
    """

    rounds: int = ROUNDS
    code: int | None = 0
    state: str = "completed"
    reason: str | None = ""


KILLED = End(2, -9, "died with -9", None)


@dataclass
class HandNetwork:
    """A run of `n_peers` that completed, where nothing else is said.

    Attributes:
        ends: peer -> its end, of those that did not complete.
        status: None: the launcher was killed.
        launcher: more lines of the launcher's journal, before its last.
        ready: whether the rounds began.
    """

    n_peers: int = 12
    ends: dict[str, End] = field(default_factory=dict)
    status: str | None = "completed"
    launcher: list[records.Record] = field(default_factory=list)
    ready: bool = True
    faults: list[dict] = field(default_factory=list)

    @property
    def peers(self) -> list[str]:
        """Their names."""
        return [f"device-{i:03}" for i in range(self.n_peers)]

    def write(self, folder: Path) -> RunFolder:
        """Write plan and journals."""
        for name in ("journal", "logs"):
            (folder / name).mkdir()
        (folder / "plan.json").write_text(json.dumps(self._plan()))
        if self.faults:
            (folder / "faults.json").write_text(json.dumps({"occurrences": self.faults}))
        _write(folder, "launcher", self._of_launcher())
        for i, peer in enumerate(self.peers):
            end = self.ends.get(peer, End())
            if end.state != "not started":
                _write(folder, peer, self._of_peer(i, peer, end))
        return RunFolder(folder)

    def _plan(self) -> dict:
        return {
            "topology": "hand-made",
            "settings": {"algorithm": "prisam", "seed": 5, "rounds": ROUNDS, "chunk_kib": 256},
            "model": {"n_bytes": 4 * 2**20, "macs": 194_176, "parameters": 61_050},
            "peers": {
                peer: {
                    "profile": {"name": PROFILES[i % 2], **PROFILE},
                    "prune_ratio": 0.3,
                    "group": i % 3,
                    "n_bytes": 2**20,
                    "macs": 102_591,
                    "neighbors": [other for other in self.peers if other != peer][:4],
                }
                for i, peer in enumerate(self.peers)
            },
        }

    def _of_launcher(self) -> list[records.Record]:
        there = [peer for peer in self.peers if self._end(peer).state != "not started"]
        lines: list[records.Record] = [records.RunStarted("ab" * 8, "prisam", self.n_peers, 1)]
        lines += [records.PeerStarted(peer, 100 + i, 0) for i, peer in enumerate(there)]
        lines += [records.AllReady(2.0, 0.3, 47.0)] if self.ready else []
        lines += self.launcher
        for i, peer in enumerate(there):
            if (code := self._end(peer).code) is not None:
                lines.append(records.PeerEnded(peer, 100 + i, code))
        if self.status:
            states = {peer: self._end(peer).state for peer in self.peers}
            lines.append(records.RunEnded(self.status, 62.125, states))
        return lines

    def _end(self, peer: str) -> End:
        return self.ends.get(peer, End())

    def _of_peer(self, i: int, peer: str, end: End) -> list[records.Record]:
        lines: list[records.Record] = [records.Started(peer, 100 + i, 0, "127.1.0.1", 5, 0.3)]
        for t in range(end.rounds):
            lines.append(records.Evaluated(t, "after_aggregation", 0.1, 0.5 + i / 1000))
            lines.append(records.Traffic(t, False, []))
        if end.state == "completed":
            lines.append(
                records.Deployed(
                    "after_aggregation", 0.1, 0.5 + i / 1000, 0.3, 30_842, 102_591, 9, "d" * 32
                )
            )
        if end.reason is not None:
            state = end.state.removesuffix(" as planned")
            lines.append(records.Finished(state, end.rounds, end.reason, 3.0, 48.5, 9.5, 4.25))
        return lines


def _write(folder: Path, name: str, lines: list[records.Record]) -> None:
    with Journal(folder / "journal" / f"{name}.jsonl", 0.0) as journal:
        for line in lines:
            journal.write(line)
