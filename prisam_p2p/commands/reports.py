"""`prisam report`: a run, or an experiment, as a page. cli.py lists it."""

from __future__ import annotations

from pathlib import Path

import click

from prisam_p2p.arguments import RUN, run_folder
from prisam_p2p.errors import ConfigError
from prisam_p2p.options import option_in


@click.argument("runs", type=RUN, nargs=-1, metavar="[RUN] [RUN2 ..]")
@option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. [report.html in the folder of RUN]",
)
@option_in(
    "Output",
    "--redact",
    is_flag=True,
    help="Leave out paths, command lines, names of hosts and users: for a page to share.",
)
def report(runs: tuple[str, ...], out: Path | None, redact: bool) -> None:
    """Write a run, or an experiment, as one HTML file with figures that any browser opens, offline.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] With two
    runs or more the page also shows them beside each other: accuracy, bytes, faults. docs/page.md
    says how to read each figure.

    The run may have completed, or been killed, or still go on: the page says what is missing. It is
    one file that asks nothing of a network; send it, keep it, print it.

    Where RUN is the folder of an experiment (results/NAME), this writes the reports of its cells
    that have none, and its results.html anew: docs/experiments.md.

    Example: prisam report runs/demo
    """
    from prisam_p2p.console import print_line
    from prisam_p2p.experiment.results_page import is_experiment
    from prisam_p2p.page.report_file import REPORT, write_report

    if len(runs) == 1 and is_experiment(Path(runs[0])):
        page = _report_experiment(Path(runs[0]), out, redact)
        print_line(f"{page} ({page.stat().st_size / 2**20:.2f} MiB): open it in a browser")
        return
    folders = [run_folder(each, _where(at)) for at, each in enumerate(runs)] or [run_folder(None)]
    path = out or folders[0] / REPORT
    n_bytes = write_report(folders, path, redact)
    print_line(f"{path} ({n_bytes / 2**20:.2f} MiB): open it in a browser")


def _report_experiment(folder: Path, out: Path | None, redact: bool) -> Path:
    """Write the pages of an experiment and return the path of its own.

    Raises:
        ConfigError: an option was given that only the report of a run has.
    """
    from prisam_p2p.experiment.results_page import write_pages

    for option, given in (("--out", out), ("--redact", redact)):
        if given:
            right = f"no {option} with an experiment: its pages stand where their links lead"
            raise ConfigError(option, "", str(folder), right)
    return write_pages(folder, cell_reports=True)


def _where(at: int) -> str:
    """Return the name of an argument, for errors: RUN, RUN2, RUN3, .."""
    return f"RUN{at + 1}" if at else "RUN"
