"""`prisam export`: a run for TensorBoard, MLflow, W&B, trackio or a table. cli.py lists it."""

from __future__ import annotations

from pathlib import Path

import click

from prisam_p2p.arguments import RUN, run_folder
from prisam_p2p.errors import ConfigError
from prisam_p2p.export.sinks import SINKS, Sink, is_address, require_sink
from prisam_p2p.options import option_in


@click.argument("run", type=RUN, required=False, metavar="[RUN]")
@option_in(
    "Export",
    "--to",
    "sink",
    type=click.Choice(list(SINKS)),
    required=True,
    help="Tracker to write for. All but csv need a library: the extra [sinks] has all of them.",
)
@option_in(
    "Export",
    "--out",
    help="Folder to write to; several runs may share it. For mlflow also the address of a tracking "
    "server (http://..). [RUN/export/TRACKER]",
)
@option_in(
    "Export",
    "--peers",
    metavar="all|p00,p03,..",
    help="Add numbers of single peers. [none: means, least and most, and means of data groups]",
)
def export(run: str | None, sink: str, out: str | None, peers: str | None) -> None:
    """Write a run's accuracy, bytes, groups and faults for a tracker of experiments.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there]

    Nothing is sent anywhere: W&B's run is an offline one, which `wandb sync` sends when you want
    that; only an address in --out is connected to. A second export of a run takes the place of the
    first. `prisam launch --log-to tensorboard` writes while the run goes on. docs/export.md lists
    the tags.

    Example: prisam export runs/demo --to tensorboard --out logs
    """
    from prisam_p2p.console import print_line

    tracker = require_sink(sink, "--to")
    if out and is_address(out) and not tracker.takes_address:
        raise ConfigError("--out", "", out, f"a folder: {sink} is written without a server")
    folder = run_folder(run)
    place, was_there = write_export(folder, sink, tracker, out, peers)
    print_line(f"{place}{' (in place of an earlier export)' if was_there else ''}")
    print_line(f"to see it: {tracker.look(place)}")


def write_export(
    folder: Path, name: str, sink: Sink, out: str | None, peers: str | None
) -> tuple[str, bool]:
    """Write a run for a tracker; return where, and whether an earlier export was replaced.

    Args:
        folder: of the run.
        name: of the tracker.
        out: as the option --out; None = a folder in the run's.
        peers: as the option --peers.

    Raises:
        ConfigError: see `exported_run` and `require_free`; nothing was written.
        OSError: it cannot be written; it names the folder.
    """
    from prisam_p2p.export.place import default_place, in_its_place, require_free
    from prisam_p2p.export.reading import exported_run

    run = exported_run(folder, peers)
    if sink.is_store:
        place = out or str(default_place(folder, name))
        return place, sink.write(run, place)
    target = Path(out, run.name) if out else default_place(folder, name)
    was_there = require_free(target, run.run_id, "--out")
    with in_its_place(target, run.run_id) as beside:
        sink.write(run, str(beside))
    return str(target), was_there
