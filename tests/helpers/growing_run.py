"""A run folder that a test lets grow, as a launcher and its peers would."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

from hand_runs import plan

from prisam_p2p.measure.journal import Journal


class GrowingRun:
    """A run of the three peers of `hand_runs`, whose launcher lives until `end`."""

    def __init__(self, path: Path) -> None:
        self.path, self._now_s = path, 0.0
        (path / "journal").mkdir(parents=True)
        (path / "plan.json").write_text(json.dumps(plan()))
        self.hold()
        self.add("launcher", "run_started", run_id="x", algorithm="prisam", peers=3, pid=1)

    def hold(self) -> None:
        """Be a launcher: hold the lock, and remove a line that was cut off."""
        self._held = (self.path / "journal" / "launcher.jsonl").open("ab")
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Journal(self.path / "journal" / "launcher.jsonl", 0.0).close()

    def add(self, name: str, record: str, **fields: Any) -> None:
        """Append a record to a journal."""
        self._now_s += 0.25
        line = {"t_s": self._now_s, "record": record, **fields}
        with (self.path / "journal" / f"{name}.jsonl").open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")

    def evaluate(self, peer: str, at: int, test: float = 0.5) -> None:
        """Let a peer evaluate its aggregated model of a round."""
        fields = {"moment": "after_aggregation", "validation": 0.5, "test": test}
        self.add(peer, "evaluated", round=at, **fields)

    def end(self, status: str = "completed") -> None:
        """Write the launcher's last line, and let go of the folder."""
        states = dict.fromkeys(plan()["peers"], status)
        self.add("launcher", "run_ended", status=status, duration_s=self._now_s, states=states)
        self.die()

    def die(self) -> None:
        """Let go of the folder without a word."""
        self._held.close()
