"""A run, from its run folder. Reading it writes nothing and imports no user's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prisam_p2p.errors import CheckFailed, ConfigError, Undecided
from prisam_p2p.measure.folders import baseline_of
from prisam_p2p.page.data.by_ids import table_by_ids
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.page.data.tables import TABLES
from prisam_p2p.plan.toml_file import near, validate
from prisam_p2p.python_api.html import paragraphs, table_html
from prisam_p2p.python_api.result_table import ResultTable
from prisam_p2p.python_api.run_peer import RunPeer
from prisam_p2p.python_api.run_summary import RunSummary
from prisam_p2p.report import breakdown
from prisam_p2p.report.database import select
from prisam_p2p.report.ledger import Ledger, make_ledger
from prisam_p2p.report.run_choice import choose_run
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import Table, run_tables
from prisam_p2p.report.summary import summarize
from prisam_p2p.report.verdicts import Judgement, judge

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from prisam_p2p.learn.data_spec import DataSpec

COMPLETED = "completed"
_PEER_COLUMNS = {
    "peer": "VARCHAR",
    "state": "VARCHAR",
    "rounds": "BIGINT",
    "profile": "VARCHAR",
    "rho": "DOUBLE",
    "data_group": "BIGINT",
    "accuracy": "DOUBLE",
    "parameters": "BIGINT",
}


class Run:
    """A run whose folder is there, whether it completed, was interrupted, or was killed.

    What is asked of it is computed once; load a run that still runs again to see more of it.

    Attributes:
        path, folder: its run folder, and what reads it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = RunFolder(path)

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.path.name

    @property
    def plan(self) -> dict[str, Any]:
        """plan.json: everything that decided the run."""
        return self.folder.plan

    @property
    def settings(self) -> dict[str, Any]:
        """Setting -> value."""
        settings: dict[str, Any] = self.plan["settings"]
        return settings

    @cached_property
    def summary(self) -> RunSummary:
        """The result, as summary.json has it, computed from the journals."""
        return validate(self._summary, RunSummary, str(self.path))

    @cached_property
    def peers(self) -> Mapping[str, RunPeer]:
        """Peer's id -> the peer."""
        peers = self.summary.peers
        return {peer: RunPeer(peer, each, self.folder) for peer, each in peers.items()}

    @property
    def bytes(self) -> ResultTable:
        """The bytes that were sent, by kind of message (docs/ledger.md)."""
        return self.bytes_by("kind")

    def bytes_by(self, what: str) -> ResultTable:
        """Return the bytes that were sent, by kind, link, round, layer or peer.

        Raises:
            ConfigError: there is no such table.
        """
        if what not in breakdown.TABLES:
            raise ConfigError("bytes_by", "", what, f"one of {', '.join(breakdown.TABLES)}")
        return ResultTable.of(breakdown.TABLES[what](self._ledger))

    def sql(self, query: str) -> ResultTable:
        """Return the answer to one SELECT over the run's journals and ledger (docs/sql.md).

        Raises:
            ConfigError: it is not one SELECT, or DuckDB does not accept it.
        """
        return ResultTable.of(select(self._tables, query))

    def page_data(self, redact: bool = False) -> dict[str, Any]:
        """Return the data of the run's page (`prisam report`), as it stands in the page.

        Args:
            redact: leave out paths, names of hosts and users, and command lines.
        """
        return page_data_of(self.folder, redact)

    def table(self, name: str) -> ResultTable:
        """Return a table of the run's page, such as "accuracy", "pulls" or "groups".

        Peers stand in it by their ids.

        Raises:
            ConfigError: there is no such table.
        """
        if name not in TABLES:
            raise ConfigError("table", "", name, f"a table of the page; {near(name, TABLES)}")
        return ResultTable.of(table_by_ids(self._page_tables, name))

    def weights(self, peer: str) -> dict[str, npt.NDArray[Any]]:
        """Return the weights of a peer's model; see `RunPeer.weights`."""
        return self._peer(peer).weights()

    def model(
        self, peer: str, factory: Callable[[DataSpec, float], nn.Module] | None = None
    ) -> nn.Module:
        """Return a peer's model; see `RunPeer.model`."""
        return self._peer(peer).model(factory)

    @cached_property
    def baseline(self) -> Run | None:
        """The run of the baseline; None without one."""
        folder = baseline_of(self.path)
        return Run(folder) if folder else None

    @cached_property
    def control_run(self) -> Run | None:
        """The run without faults; None without one."""
        control = self.folder.control_run
        return Run(control.path) if control else None

    @property
    def broken(self) -> list[str]:
        """The rules that the run broke, and its baseline: sentences; `prisam` then exits with 4."""
        return [*self._judgement.broken, *self._of_baseline("broken")]

    @property
    def undecided(self) -> list[str]:
        """The rules that could not be checked: sentences; `prisam` then exits with 5."""
        return [*self._judgement.undecided, *self._of_baseline("undecided")]

    @property
    def complaint(self) -> str:
        """Why the result needs a look: broken and unchecked rules, no orderly end; "" if none."""
        ended = self.summary.status == COMPLETED
        told = [*([] if ended else [self.summary.status]), *self.broken, *self.undecided]
        return f"{self.path}: {'; '.join(told)}" if told else ""

    def check(self) -> None:
        """Raise if the run broke a rule, or one could not be checked, or it did not complete.

        Raises:
            CheckFailed: it broke a rule.
            Undecided: otherwise.
        """
        if self.broken:
            raise CheckFailed(self.complaint)
        if self.complaint:
            raise Undecided(self.complaint)

    def __repr__(self) -> str:
        return f"<run {self.path}: {self.summary.headline}>"

    def _repr_html_(self) -> str:
        told = [self.summary.headline, *([self.complaint] if self.complaint else [])]
        table = self.peer_table
        return (
            paragraphs(told)
            + table_html(list(table.columns), table.values)
            + paragraphs([f"run folder: {self.path}"])
        )

    @property
    def peer_table(self) -> ResultTable:
        """A row for each peer."""
        rows = [
            [
                peer,
                each.state,
                each.rounds_done,
                each.profile,
                each.prune_ratio,
                each.data_group,
                each.accuracy.deployed,
                each.params,
            ]
            for peer, each in self.summary.peers.items()
        ]
        return ResultTable(_PEER_COLUMNS, rows)

    def _peer(self, peer: str) -> RunPeer:
        if peer not in self.peers:
            raise ConfigError(str(self.path), "peer", peer, f"a peer; {near(peer, self.peers)}")
        return self.peers[peer]

    @cached_property
    def _ledger(self) -> Ledger:
        return make_ledger(self.folder)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        return summarize(self.folder, self._ledger)

    @cached_property
    def _tables(self) -> list[Table]:
        return list(run_tables(self.folder, self._ledger))

    @cached_property
    def _page_tables(self) -> dict[str, Any]:
        tables: dict[str, Any] = self.page_data()["runs"][0]["tables"]
        return tables

    @cached_property
    def _judgement(self) -> Judgement:
        return judge(self._summary)

    def _of_baseline(self, which: str) -> list[str]:
        if self.baseline is None:
            return []
        return [f"baseline: {each}" for each in getattr(self.baseline._judgement, which)]


def load_run(run: str | Path | None = None) -> Run:
    """Return the run in a run folder.

    Args:
        run: the folder; the name of one in ./runs, or the beginning of it; None: the newest there.

    Raises:
        ConfigError: there is no such run, or more than one.
    """
    loaded = Run(choose_run(None if run is None else str(run)))
    _ = loaded.plan  # raises where it is no run folder
    return loaded
