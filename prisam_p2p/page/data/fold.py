"""The fold: a run's journal lines, in any interleaving of its journals, become a page's tables.

Pure: no files, no clock. Each journal's own order must be kept; which journal comes first changes
nothing, so a page that followed a run equals the one made afterwards. Rows are put in by key, so a
line that is folded in twice doubles nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from prisam_p2p.page.data.checked_lines import Line, is_sound
from prisam_p2p.page.data.conclusion import Conclusion, conclude
from prisam_p2p.page.data.facts import begun_facts, concluded_facts, unreadable_lines
from prisam_p2p.page.data.fault_rows import FaultRows
from prisam_p2p.page.data.group_rows import GroupRows
from prisam_p2p.page.data.host_rows import HostRows
from prisam_p2p.page.data.learning import Learning
from prisam_p2p.page.data.notes import Notes
from prisam_p2p.page.data.peer_rows import PeerRows
from prisam_p2p.page.data.plan_facts import plan_facts
from prisam_p2p.page.data.shared import LAUNCHER, Handlers, Shared, Take
from prisam_p2p.page.data.tables import TABLES, Columns
from prisam_p2p.page.data.tiles import running_tiles
from prisam_p2p.page.data.timeline import Timeline
from prisam_p2p.page.redact import Words
from prisam_p2p.report.run_folder import is_kernels

FORMAT = 1
"""Of the payload; a page of another format says so."""

LAUNCHERS = "launcher"
"""The journal that is no peer's and no kernel's."""

_OF_NEW_RECORDS = {
    "spans": ("phases of peers (spans)", ""),
    "servings": ("record of what donors served", "pulls"),
    "per_class": ("accuracies by class", "accuracy"),
}
"""Table -> what it holds, and the table without which it is empty in every version."""


class PageData:
    """The data of one run's page.

    Args:
        plan: plan.json.
        occurrences: those of faults.json.
        name: of the run folder.
        redact: leave out paths, names of hosts and users, and command lines.
    """

    def __init__(
        self,
        plan: Mapping[str, Any],
        occurrences: Sequence[Any] = (),
        name: str = "",
        redact: bool = False,
    ) -> None:
        self._words = words = Words(redact)
        self._shared = shared = Shared(plan_facts(plan))
        timeline, learning, notes = Timeline(shared), Learning(shared), Notes(shared)
        self._grouping, self._faults = GroupRows(shared), FaultRows(shared, occurrences)
        peers = PeerRows(shared, plan)
        self._hosts = HostRows(shared, plan, words)
        self._of_peers = _joined(
            timeline.handlers,
            learning.handlers,
            self._grouping.handlers,
            peers.handlers,
            self._faults.handlers,
            notes.handlers,
        )
        self._of_launcher = _joined(
            peers.launcher_handlers,
            self._hosts.launcher_handlers,
            self._faults.launcher_handlers,
            notes.launcher_handlers,
            {
                "run_ended": self._run_ended,
                "run_started": self._run_started,
                "watched": self._was_watched,
            },
        )
        self._begun = begun_facts(plan, shared.plan, name, redact)
        self._unreadable: Counter[str] = Counter()
        self._now_s, self._ended = 0.0, cast(Line | None, None)
        self._conclusion: Conclusion | None = None
        self._told: dict[str, Any] = {}
        self._watched: dict[float, float | None] = {}

    # -- what is folded in -------------------------------------------------------------

    def take(self, journal: str, line: object) -> None:
        """Fold one line in.

        Args:
            journal: the name of its file without the ending: a peer, launcher, kernel, or
                kernel-HOST.
            line: parsed; what is no sound record of this run is counted and left out.
        """
        if isinstance(line, dict) and is_sound(line, self._shared.plan.rounds):
            self.take_sound(journal, line)
        else:
            self.unreadable(journal)

    def take_sound(self, journal: str, line: Line) -> None:
        """Fold in a line that `is_sound`."""
        if is_kernels(journal):
            return
        peer = LAUNCHER if journal == LAUNCHERS else self._shared.plan.number(journal)
        handlers = self._of_launcher if journal == LAUNCHERS else self._of_peers
        if peer == LAUNCHER and journal != LAUNCHERS:
            return
        self._now_s = max(self._now_s, self._shared.seconds(line["t_s"]))
        try:
            for take in handlers.get(line["record"], ()):
                take(peer, line)
        except KeyError:  # a field that every version wrote is absent
            self.unreadable(journal)

    def take_watch(self, line: object) -> None:
        """Fold in a line of what `prisam view` noted beside the journals."""
        if is_sound(line, self._shared.plan.rounds):
            assert isinstance(line, dict)
            if line["record"] == "watched" and line.keys() >= {"from_s", "to_s"}:
                self._was_watched(LAUNCHER, line)

    def unreadable(self, journal: str) -> None:
        """Count a line that is no sound record."""
        self._unreadable[journal] += 1

    def conclude(self, conclusion: Conclusion) -> None:
        """Add what only a run that is over has: its summary, ledger, closure and verdicts."""
        self._settle()
        self._conclusion = conclusion
        conclude(conclusion, self._shared, self._faults)
        if conclusion.summary is not None:
            self._hosts.conclude(conclusion.summary["hosts"])

    @property
    def now_s(self) -> float:
        """Time of the last record, on the run's clock."""
        return self._now_s

    # -- what comes out ----------------------------------------------------------------

    def payload(self) -> dict[str, Any]:
        """Return all facts and tables: a RUN of the page's data."""
        self._settle()
        tables = {name: rows.all() for name, rows in self._shared.tables.items()}
        return {"facts": self._facts(), "tables": self._shown(tables)}

    def changes(self) -> dict[str, Any]:
        """Return the facts and rows that changed since the last call, in the form of `payload`."""
        self._settle()
        facts, told = self._facts(), self._told
        self._told = facts
        changed = {name: rows.changed() for name, rows in self._shared.tables.items()}
        return {
            "facts": {key: x for key, x in facts.items() if key not in told or told[key] != x},
            "tables": self._shown({name: c for name, c in changed.items() if any(c.values())}),
        }

    # -- inside ------------------------------------------------------------------------

    def _run_started(self, _: int, line: Line) -> None:
        self._ended = None

    def _was_watched(self, _: int, line: Line) -> None:
        self._watched[line["from_s"]] = line["to_s"]

    def _run_ended(self, _: int, line: Line) -> None:
        self._ended = line

    def _settle(self) -> None:
        if self._conclusion is None:
            self._grouping.settle()
            self._faults.settle()
            for tile in running_tiles(self._shared, self._ended):
                self._shared.tables["tiles"].put(*tile)

    def _facts(self) -> dict[str, Any]:
        peers = self._shared.tables["peers"]
        rounds = [peers.get(key, "rounds_done") for key in peers.ascending()]
        missing = [*self._shared.rollups.sentences, *unreadable_lines(self._unreadable)]
        facts = {
            **self._begun,
            "status": self._ended["status"] if self._ended else "running",
            "duration_s": self._ended["duration_s"] if self._ended else None,
            "rounds_done": min(rounds, default=0),
            "now_s": self._now_s,
            "watched": [list(each) for each in sorted(self._watched.items())],
            "missing": missing,
        }
        if self._conclusion is not None:
            facts |= concluded_facts(self._conclusion)
            facts["missing"] = [*missing, *self._conclusion.missing, *self._not_recorded()]
        return {key: self._words.value(value) for key, value in facts.items()}

    def _not_recorded(self) -> list[str]:
        """Return sentences on tables that are empty because no such record was written."""
        return [
            f"this run has no {what}: an older version recorded it, or it ended too early"
            for name, (what, of) in _OF_NEW_RECORDS.items()
            if not len(self._shared.tables[name]) and (not of or len(self._shared.tables[of]))
        ]

    def _shown(self, tables: dict[str, Columns]) -> dict[str, Any]:
        return {
            name: {"columns": self._words.columns(TABLES[name], columns)}
            for name, columns in tables.items()
        }


def _joined(*parts: Handlers) -> dict[str, list[Take]]:
    found: dict[str, list[Take]] = {}
    for part in parts:
        for record, take in part.items():
            found.setdefault(record, []).append(take)
    return found
