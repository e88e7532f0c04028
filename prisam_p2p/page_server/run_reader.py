"""What the page of one run shows: its journals as far as they go, and its end when it has one.

For one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prisam_p2p.measure.folders import TWIN, WATCHED, baseline_of
from prisam_p2p.page.data.checked_lines import parse
from prisam_p2p.page.data.fold import LAUNCHERS
from prisam_p2p.page.data.host_rows import kernels_in
from prisam_p2p.page.data.run_page import SoundRun, begun, conclusion_of
from prisam_p2p.page_server.feed import Update
from prisam_p2p.page_server.liveness import is_running
from prisam_p2p.page_server.tail import JournalTail, Replaced, RunTail, Signature, signature
from prisam_p2p.page_server.watch_note import WatchNote

_QUIET_S = 3.0
"""A run without a new line for so long may have been killed; then its lock is looked at."""

_SUMMARY_S = 10.0
"""A launcher that wrote its last line has this long to write the summary."""

_FRESH_S = 10.0
"""A plan.json that is younger than this may wait for its faults.json and its journals."""

_ENDED, _STARTED = "run_ended", "run_started"


@dataclass(frozen=True)
class Look:
    """What a look at the run folder found.

    Attributes:
        is_new: it is another run than at the look before: a page needs everything.
        update: what has changed since then.
    """

    is_new: bool
    update: Update


class RunReader:
    """Reads one run folder again and again.

    Args:
        note: whether to write down in the folder from when to when a running run was watched.
    """

    def __init__(self, run_dir: Path, note: bool) -> None:
        self._run_dir, self._note = run_dir, note
        self._followed: _Followed | None = None

    def look(self, at_s: float, is_watched: bool = False) -> Look | None:
        """Read what is new; None: there is no run to show yet.

        Args:
            at_s: on a clock that only goes on.
            is_watched: whether a page is connected.

        Raises:
            ConfigError: its plan.json is none.
        """
        plan = signature(self._run_dir / "plan.json")
        followed = self._followed
        if followed and plan is None:
            return Look(False, followed.gone())
        if followed and plan == followed.plan and not followed.is_gone:
            with suppress(Replaced):
                return Look(False, followed.look(at_s, is_watched))
        if plan is None or not self._has_begun(plan):
            return None
        self._followed = new = _Followed(self._run_dir, plan, self._note)
        return Look(True, new.look(at_s, is_watched))

    def payload(self) -> Mapping[str, Any]:
        """Return all facts and tables, as far as they were read; there was a run to show."""
        assert self._followed is not None
        return self._followed.data.payload()

    def _has_begun(self, plan: Signature) -> bool:
        """Tell whether the launcher has written all that it writes before the journals."""
        journal = self._run_dir / "journal" / f"{LAUNCHERS}.jsonl"
        return journal.exists() or time.time() - plan[2] / 1e9 > _FRESH_S


class _Followed:
    """One run from its beginning on, as far as it is read.

    Args:
        plan: signature of its plan.json.
        note: see RunReader.

    Attributes:
        data: what the page shows.
        is_gone: the folder was moved or removed.

    Raises:
        ConfigError: its plan.json is none.
    """

    def __init__(self, run_dir: Path, plan: Signature, note: bool) -> None:
        self.plan = plan
        run = SoundRun(run_dir)
        self.data = begun(run)
        self._run_dir = run_dir
        # The launcher's comes first: when it tells the end, the others have all of theirs.
        self._tail = RunTail(run_dir, [LAUNCHERS, *run.peers, *kernels_in(run.plan)])
        self._notes_tail = JournalTail(run_dir / WATCHED)
        self._note = WatchNote(run_dir / WATCHED if note else None)
        self.is_gone = self._has_ended = False
        self._grew_s = float("-inf")
        self._concluded: object = None

    def look(self, at_s: float, is_watched: bool) -> Update:
        """Read what is new, and return what changed.

        Args:
            at_s: see RunReader.

        Raises:
            Replaced: it is another run now, or goes on after its end.
        """
        is_first = self._grew_s == float("-inf")
        if self._read():
            if self._concluded:  # what follows from the end does not hold any more
                raise Replaced(str(self._run_dir))
            self._grew_s = at_s if not is_first else at_s - _SUMMARY_S
        self._conclude_if_over(at_s)
        self._note.take(is_watched and not self._concluded, self.data.now_s)
        for text in self._notes_tail.new_lines():
            self.data.take_watch(parse(text))
        return self.data.changes()

    def gone(self) -> Update:
        """Return what changes when the folder is gone: once."""
        if self.is_gone:
            return {}
        self.is_gone = True
        told = "the run folder was moved or removed while this page followed it"
        return {"facts": {"status": "gone", "missing": [told]}, "tables": {}}

    def _read(self) -> bool:
        """Fold the new lines in; return whether there were any."""
        grew = False
        for name, text in self._tail.new_lines():
            grew, line = True, parse(text)
            if line is None:
                self.data.unreadable(name)
                continue
            self.data.take(name, line)
            if name == LAUNCHERS and line.get("record") in (_STARTED, _ENDED):
                self._has_ended = line["record"] == _ENDED
        return grew

    def _conclude_if_over(self, at_s: float) -> None:
        """Add what follows from the run's end, and again when its results were written anew."""
        quiet_s = at_s - self._grew_s
        if not self._has_ended and (quiet_s < _QUIET_S or is_running(self._run_dir)):
            return
        results = self._results()
        if results == self._concluded or (results[0] is None and quiet_s < _SUMMARY_S):
            return
        self.data.conclude(conclusion_of(SoundRun(self._run_dir)))
        self._concluded = results

    def _results(self) -> tuple[Signature | None, ...]:
        """Return signatures of the summaries of the run, its control run and its baseline."""
        folders = (self._run_dir, self._run_dir / TWIN, baseline_of(self._run_dir))
        return tuple(signature(each / "summary.json") if each else None for each in folders)
