"""The trackers that a run can be given to: a module each, and a row each in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from prisam_p2p.errors import ConfigError
from prisam_p2p.export.points import ExportedRun
from prisam_p2p.export.sinks import csv_files, mlflow_store, tensorboard, trackio_store, wandb_run


@dataclass(frozen=True)
class Sink:
    """A tracker.

    Attributes:
        needs: the modules that it imports.
        packages: what installs them; the extra of its name does so, too.
        write: writes a run into a folder, a new one, or, of a store, the one of all runs; returns
            whether it took the place of an earlier one in there.
        look: returns what the user does to see what was written into a folder.
        is_store: it keeps many runs in one folder and tells them apart by itself.
        takes_address: the folder may be the address of a server.
    """

    needs: tuple[str, ...]
    packages: str
    write: Callable[[ExportedRun, str], bool]
    look: Callable[[str], str]
    is_store: bool = False
    takes_address: bool = False


SINKS = {
    "tensorboard": Sink(("tensorboard",), "tensorboard", tensorboard.write, tensorboard.look),
    "mlflow": Sink(
        ("mlflow", "sqlalchemy", "alembic", "sqlparse"),
        "mlflow-skinny sqlalchemy alembic sqlparse",
        mlflow_store.write,
        mlflow_store.look,
        is_store=True,
        takes_address=True,
    ),
    "wandb": Sink(("wandb",), "wandb", wandb_run.write, wandb_run.look),
    "trackio": Sink(
        ("trackio",), "trackio", trackio_store.write, trackio_store.look, is_store=True
    ),
    "csv": Sink((), "", csv_files.write, csv_files.look),
}


def require_sink(name: str, where: str) -> Sink:
    """Return a tracker whose library is installed.

    Args:
        where: the option that names it.

    Raises:
        ConfigError: it is not; says what to install.
    """
    sink = SINKS[name]
    if missing := [each for each in sink.needs if find_spec(each) is None]:
        right = (
            f"a tracker that is installed: {', '.join(missing)} is not; pip install "
            f"{sink.packages} (or prisam-p2p with its extra [{name}])"
        )
        raise ConfigError(where, "", name, right)
    return sink


def is_address(out: str) -> bool:
    """Tell whether --out is the address of a server or a data base rather than a folder."""
    return "://" in out
