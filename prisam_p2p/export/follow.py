"""Writes a run for TensorBoard while it goes on: a round is written when it is over for all peers.

In the end the log holds what `prisam export` writes. Where a peer came back and changed a round
that was written without it, the log is written anew.
"""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.export.place import (
    begin_anew,
    default_place,
    in_its_place,
    require_free,
)
from prisam_p2p.export.points import ExportedRun
from prisam_p2p.export.reading import as_exported, exported_run, run_id_of
from prisam_p2p.export.sinks import tensorboard
from prisam_p2p.export.stream import rounds_over
from prisam_p2p.export.told import ToldPoints
from prisam_p2p.page.data.checked_lines import parse
from prisam_p2p.page.data.fold import LAUNCHERS, PageData
from prisam_p2p.page.data.run_page import SoundRun, occurrences_in
from prisam_p2p.page_server.tail import Replaced, RunTail


class Follower:
    """Follows one run, which may be yet to come.

    Attributes:
        look_at: what the user does to see it.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir, self._place = run_dir, default_place(run_dir, "tensorboard")
        self.look_at = tensorboard.look(str(self._place))
        self._told = ToldPoints()
        self._log: tensorboard.EventLog | None = None
        self._read: tuple[PageData, RunTail] | None = None

    def look(self) -> None:
        """Write what is over since the last look.

        Raises:
            ConfigError: plan.json is none, or the place of the log holds something else.
            OSError: it cannot be written.
        """
        try:
            page = self._grown()
        except Replaced:  # its journals were cut back: it is read anew at the next look
            self._read = None
            return
        if page is None:
            return
        data = page.payload()
        run = as_exported(self._run_dir, data)
        if self._log is None:
            self._log = self._begun(run)
        self._log.add(*self._told.news(run.points, run.markers, rounds_over(data)))

    def finish(self) -> None:
        """Write the rest, from the run folder as it is now; nothing if the run never began.

        Raises:
            ConfigError, OSError: see `look`.
        """
        self.look()
        if self._log is None:
            return
        run = exported_run(self._run_dir)
        agrees = self._told.agrees(run.points, run.markers)
        if agrees:
            self._log.add(*self._told.news(run.points, run.markers, run.n_rounds))
            self._log.conclude(run)
        self._log.close()
        if not agrees:
            with in_its_place(self._place, run.run_id) as beside:
                tensorboard.write(run, str(beside))

    def _begun(self, run: ExportedRun) -> tensorboard.EventLog:
        require_free(self._place, run.run_id, "--log-to")
        begin_anew(self._place, run.run_id)
        log = tensorboard.EventLog(self._place, run.began_s)
        log.describe(run)
        return log

    def _grown(self) -> PageData | None:
        """Fold the new lines in, and return all that is known; None if there were none.

        Raises:
            Replaced: see RunTail.
        """
        if self._read is None:
            if not run_id_of(self._run_dir):  # its launcher writes that after the plan
                return None
            run = SoundRun(self._run_dir)
            data = PageData(run.plan, occurrences_in(self._run_dir), self._run_dir.name)
            self._read = data, RunTail(self._run_dir, [LAUNCHERS, *run.peers])
        data, tail = self._read
        grew = False
        for name, text in tail.new_lines():
            grew = True
            data.take(name, parse(text))
        return data if grew else None
