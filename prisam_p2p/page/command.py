"""`prisam report`: a run as one HTML file. cli.py lists it."""

from __future__ import annotations

from pathlib import Path

import click

from prisam_p2p.arguments import RUN, run_folder
from prisam_p2p.options import option_in

REPORT = "report.html"


@click.argument("runs", type=RUN, nargs=-1, metavar="[RUN] [RUN2 ..]")
@option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File to write. [{REPORT} in the folder of RUN]",
)
@option_in(
    "Output",
    "--redact",
    is_flag=True,
    help="Leave out paths, command lines, names of hosts and users: for a page to share.",
)
def report(runs: tuple[str, ...], out: Path | None, redact: bool) -> None:
    """Write a run as one HTML file, with figures: a page that any browser opens, offline.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] With two
    runs or more the page also shows them beside each other: accuracy, bytes, faults. docs/page.md
    says how to read each figure.

    The run may have completed, or been killed, or still go on: the page says what is missing. It is
    one file that asks nothing of a network; send it, keep it, print it.

    Example: prisam report runs/demo
    """
    from prisam_p2p.console import print_line

    folders = [run_folder(each, _where(at)) for at, each in enumerate(runs)] or [run_folder(None)]
    path = out or folders[0] / REPORT
    n_bytes = write_report(folders, path, redact)
    print_line(f"{path} ({n_bytes / 2**20:.2f} MiB): open it in a browser")


def write_report(folders: list[Path], path: Path, redact: bool = False) -> int:
    """Write the page of runs beside `path` and rename it; return its bytes.

    Raises:
        ConfigError: one of them is no run folder.
        OSError: the file cannot be written; it names the file.
    """
    from prisam_p2p.measure.files import written_beside
    from prisam_p2p.page.assembly import page_of
    from prisam_p2p.page.data.fold import FORMAT
    from prisam_p2p.page.data.run_page import page_data_of
    from prisam_p2p.report.run_folder import RunFolder

    pages = [page_data_of(RunFolder(folder), redact) for folder in folders]
    runs = [run for page in pages for run in page["runs"]]
    title = ", ".join(run["facts"]["name"] for run in runs)
    page = page_of({"format": FORMAT, "runs": runs}, title).encode()
    with written_beside(path) as beside:
        beside.write_bytes(page)
    return len(page)


def _where(at: int) -> str:
    """Return the name of an argument, for errors: RUN, RUN2, RUN3, .."""
    return f"RUN{at + 1}" if at else "RUN"
