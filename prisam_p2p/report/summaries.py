"""The summaries that one command makes: in the run folders, and kept where these take none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prisam_p2p.errors import ResourceError
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.slim_run import SlimRun
from prisam_p2p.report.summary import save_summary, summarize
from prisam_p2p.system.refusals import refused


class Summaries:
    """Makes summaries of run folders, and remembers them.

    Attributes:
        unwritten: why a summary, or its ledger, could not be written: the first such reason.
    """

    def __init__(self) -> None:
        self._made: dict[Path, dict[str, Any]] = {}
        self.unwritten: ResourceError | None = None

    def make(self, run_dir: Path) -> None:
        """Make the summary of a run, and write it to its folder if that can be written to.

        Raises:
            ConfigError: this is no run folder.
        """
        run = SlimRun(run_dir)
        ledger = make_ledger(run, run.processes)
        self._made[run_dir] = summary = summarize(run, ledger)
        try:
            save_summary(run, summary, ledger)
        except OSError as error:
            self.unwritten = self.unwritten or refused(error)
        except ResourceError as error:
            self.unwritten = self.unwritten or error

    def of(self, run_dir: Path) -> dict[str, Any]:
        """Return the last summary that `make` made of a run; make one where there is none."""
        if run_dir not in self._made:
            self.make(run_dir)
        return self._made[run_dir]
