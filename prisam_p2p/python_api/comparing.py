"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Told
from prisam_p2p.python_api.result_table import ResultTable
from prisam_p2p.python_api.run import Run, load_run
from prisam_p2p.report import verify

_SAME = "same_as_first"
_COLUMNS = {
    "run": "VARCHAR",
    "algorithm": "VARCHAR",
    "topology": "VARCHAR",
    "status": "VARCHAR",
    "accuracy": "DOUBLE",
    "ari": "DOUBLE",
    "wire_bytes": "BIGINT",
    "duration_s": "DOUBLE",
    "broken_rules": "BIGINT",
    _SAME: "BOOLEAN",
}


@dataclass(frozen=True, repr=False)
class RunComparison(ResultTable):
    """A row for each run, with its results, and a column for each setting in which runs differ.

    Attributes:
        runs: in the order of the rows.
        differences: for each run, where its masks, groups, chosen peers, averages, accuracies and
            final weights first differ from the first run's, as `prisam verify` tells it; None
            where there is nothing to compare: a run without records.
    """

    runs: tuple[Run, ...]
    differences: tuple[list[str] | None, ...]


def compare(runs: Iterable[Run | str | Path]) -> RunComparison:
    """Return runs side by side.

    Args:
        runs: two or more, each as `launch` or `load_run` returns it or as `load_run` takes it.

    Raises:
        ConfigError: there is no such run, or there are fewer than two.
    """
    loaded = tuple(each if isinstance(each, Run) else load_run(each) for each in runs)
    if len(loaded) < 2:
        raise ConfigError("compare", "runs", Told(f"{len(loaded)} in all"), "two runs or more")
    keys = _differing(loaded)
    differences = tuple(_differences(loaded[0], each) for each in loaded)
    rows = [
        [*_results(run), None if found is None else not found, *(run.settings.get(k) for k in keys)]
        for run, found in zip(loaded, differences, strict=True)
    ]
    columns = {
        **_COLUMNS,
        **{key: _kind([run.settings.get(key) for run in loaded]) for key in keys},
    }
    return RunComparison(columns, rows, loaded, differences)


def _results(run: Run) -> list[Any]:
    summary = run.summary
    return [
        run.name,
        summary.algorithm,
        summary.topology,
        summary.status,
        summary.accuracy.deployed,
        summary.grouping.ari,
        sum(each.wire for each in summary.bytes.values()),
        summary.duration_s,
        len(run.broken),
    ]


def _differing(runs: tuple[Run, ...]) -> list[str]:
    """Return the settings that are not the same in all runs; the algorithm has its column."""
    first = runs[0].settings
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in _COLUMNS)
    return [key for key in keys if any(run.settings.get(key) != first.get(key) for run in runs)]


def _differences(first: Run, run: Run) -> list[str] | None:
    try:
        return [str(each) for each in verify.compare(first.folder, run.folder)]
    except ConfigError:  # a run that did not get as far as training
        return None


def _kind(values: list[Any]) -> str:
    given = {type(value) for value in values if value is not None}
    known = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}
    return known.get(given.pop(), "VARCHAR") if len(given) == 1 else "VARCHAR"
