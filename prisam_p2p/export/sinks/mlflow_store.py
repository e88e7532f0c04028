"""MLflow: a run in the experiment `prisam`, in a data base of its own or at a tracking server."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prisam_p2p.errors import PrisamError
from prisam_p2p.export.points import ExportedRun

EXPERIMENT = "prisam"
RUN_ID = "prisam.run_id"
"""Tag of an MLflow run: which run of ours it is."""

_DATABASE, _FILES = "mlflow.db", "artifacts"
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE = 1000, 100
_LONGEST_PARAMETER = 500

Item = TypeVar("Item")


def write(run: ExportedRun, out: str) -> bool:
    """Write a run, and delete those that earlier exports of it made; return whether there were any.

    Args:
        out: a folder, which is made, or the address of a tracking server or data base.

    Raises:
        PrisamError: MLflow cannot write there; its words are in it.
    """
    _set_quiet()
    from mlflow.exceptions import MlflowException

    try:
        return _written(run, out)
    except MlflowException as error:
        raise PrisamError(f"{out}: {str(error).splitlines()[0]}") from error


def _written(run: ExportedRun, out: str) -> bool:
    client = client_at(out)
    experiment = _experiment(client, out)
    text = f"tags.`{RUN_ID}` = '{_quoted(run.run_id)}'"
    earlier = client.search_runs([experiment], text, max_results=_METRICS_AT_ONCE)
    tags = {RUN_ID: _quoted(run.run_id), "mlflow.note.content": run.headline}
    began_ms = _ms(run.began_s)
    made = client.create_run(experiment, began_ms, tags, run.name).info.run_id
    try:
        _fill(client, made, run)
    except BaseException:
        client.delete_run(made)
        raise
    for each in earlier:
        client.delete_run(each.info.run_id)
    return bool(earlier)


def look(out: str) -> str:
    """Return what the user does to see it."""
    if "://" in out:
        return f"experiment {EXPERIMENT} at {out}"
    return f"mlflow ui --backend-store-uri {shlex.quote(_database(out))}"


def client_at(out: str) -> Any:
    """Return MLflow's client of a folder or an address."""
    _set_quiet()
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if "://" in out:
        return MlflowClient(tracking_uri=out)
    Path(out).mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=_database(out))


def _set_quiet() -> None:
    """Set what MLflow reads when it is imported, unless the user did."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # else minutes, without a word


def _database(out: str) -> str:
    return f"sqlite:///{Path(out).resolve() / _DATABASE}"


def _experiment(client: Any, out: str) -> str:
    if found := client.get_experiment_by_name(EXPERIMENT):
        return str(found.experiment_id)
    files = None if "://" in out else (Path(out).resolve() / _FILES).as_uri()
    return str(client.create_experiment(EXPERIMENT, files))


def _fill(client: Any, run_id: str, run: ExportedRun) -> None:
    from mlflow.entities import Metric, Param

    parameters = [
        Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in run.settings.items()
    ]
    for params in _parts(parameters, _PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=params)
    metrics = [
        Metric(each.tag, each.value, _ms(run.began_s + each.t_s), each.round) for each in run.points
    ]
    for some in _parts(metrics, _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=some)
    if run.markers:
        lines = [f"{m.t_s:.3f} s, round {m.round}, {m.tag}: {m.text}\n" for m in run.markers]
        client.log_text(run_id, "".join(lines), "markers.txt")
    end_s = run.began_s + max((each.t_s for each in run.points), default=0.0)
    status = "FINISHED" if run.status == "completed" else "KILLED"
    client.set_terminated(run_id, status, _ms(end_s))


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _quoted(text: str) -> str:
    """Return a run's id as it can stand in a search."""
    return "".join(each if each.isalnum() or each in "-_." else "_" for each in text)
