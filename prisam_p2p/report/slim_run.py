"""A run folder as its summary needs it: read once, line by line, and only a part is kept.

Of a peer's journal the bulk is spans, masks, and what each connection carried. Nothing of that is
kept as lines: connections and their counts become `Process`es while the journal is read, and of the
others the summary needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prisam_p2p.measure.folders import TWIN
from prisam_p2p.report.connection_ends import Process, Processes
from prisam_p2p.report.run_folder import Line, RunFolder

_DROPPED = frozenset({"spans", "arrivals", "served", "resources", "connection"})
"""Records of which only the latest round is kept (`round_in`)."""

_TRIMMED: Mapping[str, frozenset[str]] = {
    "traffic": frozenset({"rows"}),
    "masked": frozenset({"structure", "similarity"}),
    "evaluated": frozenset({"validation", "right", "of"}),
    "announced": frozenset({"n_bytes", "reached", "unreachable"}),
    "offered": frozenset({"n_bytes"}),
    "pulled": frozenset({"n_bytes", "mbit_s", "began_s"}),
    "aggregated": frozenset({"union_channels", "kept_channels", "regrowth", "norms"}),
    "trained": frozenset({"epochs", "steps", "learning_rate", "parameters"})
    | {"speed_asked", "speed_achieved"},
}
"""Record -> fields that no summary needs."""


@dataclass(frozen=True)
class SlimRun(RunFolder):
    """See the module; what is not kept is absent from `journals`, `records` and `last`."""

    @cached_property
    def journals(self) -> dict[str, list[Line]]:
        """Peer (and "launcher") -> what is kept of its records, in the order written."""
        return {**self._read[0], "launcher": list(self.lines("launcher"))}

    @property
    def processes(self) -> dict[str, list[Process]]:
        """Peer -> its processes: what each recorded of its connections, and counted."""
        return self._read[1]

    @property
    def control_run(self) -> RunFolder | None:
        """The control run; None if there was none."""
        path: Path = self.path / TWIN
        return SlimRun(path) if (path / "plan.json").exists() else None

    @cached_property
    def _read(self) -> tuple[dict[str, list[Line]], dict[str, list[Process]]]:
        kept: dict[str, list[Line]] = {}
        processes: dict[str, list[Process]] = {}
        share = _Shared()
        for peer in self.peers:
            found, latest = Processes(peer), dict[str, Line]()
            kept[peer] = lines = []
            for line in self.lines(peer):
                found.take(line)
                if line["record"] in _DROPPED:
                    _keep_latest(latest, line)
                else:
                    lines.append(_slim(line, share))
            lines += latest.values()
            processes[peer] = found.all()
        return kept, processes


class _Shared:
    """Strings that come again and again, each kept once: ids, digests, names of fields."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        if type(value) is str:
            return self._known.setdefault(value, value)
        if type(value) is list:
            return [self(each) for each in value]
        if type(value) is dict:
            return {self(key): self(each) for key, each in value.items()}
        return value


def _slim(line: Line, share: _Shared) -> Line:
    trimmed = _TRIMMED.get(line["record"], frozenset())
    return {share(key): share(value) for key, value in line.items() if key not in trimmed}


def _keep_latest(latest: dict[str, Line], line: Line) -> None:
    """Keep which round a dropped record was of, if no other of its kind was of a later one."""
    kind, at = line["record"], line.get("round")
    if at is not None and (kind not in latest or at > latest[kind]["round"]):
        latest[kind] = {"t_s": line["t_s"], "record": kind, "round": at}
