"""`prisam trace`: a run as a trace for Perfetto. cli.py lists it."""

from __future__ import annotations

from pathlib import Path

import click

from prisam_p2p.arguments import RUN, run_folder
from prisam_p2p.options import option_in

TRACE = "trace.json"


@click.argument("run", type=RUN, required=False)
@option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File to write; compressed if its name ends with .gz. [{TRACE} in the folder of RUN]",
)
@option_in(
    "Output",
    "--redact",
    is_flag=True,
    help="Leave out paths, command lines, names of hosts and users: for a trace to share.",
)
def trace(run: str | None, out: Path | None, redact: bool) -> None:
    """Write a run as a trace: open it in ui.perfetto.dev or in chrome://tracing.

    RUN is a run folder, or the beginning of a name in ./runs. Without it: the newest there.

    It has the phases of all peers; each peer's pulls and what it served, in lanes; arrows for masks
    and weights; counters for accuracy, memory and bytes; and the faults. docs/trace.md says more.
    Perfetto reads the file in your browser, and sends it nowhere.

    Example: prisam trace runs/demo --out demo.json.gz
    """
    from prisam_p2p.console import print_line
    from prisam_p2p.report.run_folder import RunFolder
    from prisam_p2p.trace.trace_file import write_trace

    folder = run_folder(run)
    path = out or folder / TRACE
    n_events, missing = write_trace(RunFolder(folder), path, redact)
    size = path.stat().st_size / 2**20
    print_line(f"{path} ({n_events:,} events, {size:.2f} MiB): open it in https://ui.perfetto.dev")
    for each in missing:
        print_line(f"  {each}")
