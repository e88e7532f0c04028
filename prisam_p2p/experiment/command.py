"""`prisam experiment`: parse, call, print, exit code."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from prisam_p2p.arguments import EXPERIMENT, experiment_file
from prisam_p2p.errors import CheckFailed, ConfigError
from prisam_p2p.options import (
    given_settings,
    option_in,
    settings_options,
    table_or_json,
    trust_option,
)
from prisam_p2p.system.stop_requests import EXIT_INTERRUPTED

RESULTS = Path("results")


@click.argument("file", type=EXPERIMENT)
@option_in(
    "Output", "--out", type=click.Path(path_type=Path), help="Folder of the results. [results/NAME]"
)
@option_in(
    "Experiment",
    "--only",
    metavar="PATTERN",
    help="Run only cells whose names match, such as '*seed-0'. [all]",
)
@option_in(
    "Experiment",
    "--jobs",
    type=click.IntRange(min=1),
    help="Cells to run at a time. [as many as cores and memory allow]",
)
@option_in(
    "Experiment", "--dry-run", is_flag=True, help="Print the cells and how long they will take."
)
@option_in(
    "Experiment",
    "--tables-only",
    is_flag=True,
    help="Run nothing; make tables and figures of the cells done in --out.",
)
@option_in(
    "Experiment",
    "--rerun-stale",
    is_flag=True,
    help="Run finished cells anew that other code made; those of this code stay.",
)
@option_in(
    "Experiment", "--keep-models", is_flag=True, help="Keep each cell's models and peer states."
)
@option_in(
    "Output",
    "--no-cell-reports",
    is_flag=True,
    help="Write no report (about 1 MiB) for each cell's run; results.html then names the command.",
)
@table_or_json
@trust_option
@settings_options
def experiment(
    file: str,
    out: Path | None,
    only: str | None,
    jobs: int | None,
    dry_run: bool,
    tables_only: bool,
    rerun_stale: bool,
    keep_models: bool,
    no_cell_reports: bool,
    output: str,
    trust_code: bool,
    **given: object,
) -> None:
    """Run a grid of runs; make tables, figures and a page of the results: docs/experiments.md.

    FILE is the name or path of an experiment (see `prisam list experiments`). Cells that are done
    in --out are skipped, so an interrupted experiment continues where it stopped. Settings given
    here apply to every cell.

    The page, results.html in --out, has all tables and figures, and a link to the report of each
    cell's run. `prisam report` of the folder writes it anew.

    Example: prisam experiment smoke --dry-run
    """
    from prisam_p2p.experiment.grid_file import load_grid
    from prisam_p2p.experiment.progress import observer
    from prisam_p2p.experiment.run_experiment import (
        ExperimentRequest,
        forecast,
        run_experiment,
        tabulate,
    )

    grid = load_grid(experiment_file(file))
    overrides = {name: _plain(value) for name, value in given_settings(given).items()}
    request = ExperimentRequest(
        out or RESULTS / grid.name, overrides, only, jobs, keep_models, trust_code, rerun_stale
    )
    if tables_only and rerun_stale:
        raise ConfigError("--rerun-stale", "", "on", "no --tables-only, which runs nothing")
    if dry_run:
        _print_forecast(forecast(grid, request), output)
        return
    if tables_only:
        _finish(tabulate(grid, request), request.out, output, not no_cell_reports)
        return
    shown = observer()
    try:
        finished = run_experiment(grid, request, shown)
    finally:
        shown.end()
    _finish(finished, request.out, output, not no_cell_reports)
    if finished.outcome.interrupted:
        sys.exit(EXIT_INTERRUPTED)
    if finished.outcome.failed:
        names = ", ".join(finished.outcome.failed)
        raise CheckFailed(f"{request.out}: {len(finished.outcome.failed)} cells failed: {names}")


def _plain(value: object) -> Any:
    return str(value.resolve()) if isinstance(value, Path) else value


def _print_forecast(found: Any, output: str) -> None:
    from prisam_p2p.experiment.absent_data import told
    from prisam_p2p.experiment.progress import duration

    cells, trials = found.runs, found.trials
    to_do = [cell for cell in cells if not cell.done]
    total_s = sum(cell.seconds for cell in to_do)
    if output == "json":
        shown = {
            "cells": [asdict(cell) for cell in (*found.tuning, *cells)],
            "left_s": trials.least_s + total_s,
            "most_left_s": trials.most_s + total_s,
            "tuning_left": asdict(trials),
            "absent": found.absent,
        }
        click.echo(json.dumps(shown, indent=1))
        return
    for cell in (*found.tuning, *cells):
        about = "done in" if cell.done else "about"
        code = ", made by other code" if cell.stale else ""
        click.echo(f"{cell.name}: {about} {duration(cell.seconds)}{code}")
    if trials.most:
        click.echo(
            f"tuning: at least {trials.least:,} and at most {trials.most:,} runs to do, "
            f"about {duration(trials.least_s)} to {duration(trials.most_s)}"
        )
    click.echo(f"cells: {len(to_do):,} of {len(cells):,} to do, about {duration(total_s)}")
    least, most = (duration(s + total_s) for s in (trials.least_s, trials.most_s))
    click.echo(f"in all: about {least}{f' to {most}' if trials.most else ''}, one after another")
    for dataset in found.absent:
        click.echo(told(dataset))


def _finish(finished: Any, out: Path, output: str, cell_reports: bool) -> None:
    """Write the pages of an experiment that was not interrupted, and print its results."""
    from prisam_p2p.experiment.results_page import write_pages

    page = write_pages(out, cell_reports) if finished.written else None
    _print_finished(finished, out, page, output)


def _print_finished(finished: Any, out: Path, page: Path | None, output: str) -> None:
    from prisam_p2p.console import output_width
    from prisam_p2p.experiment.printed_results import fitted

    outcome = finished.outcome
    if output == "json":
        written = asdict(finished.written) if finished.written else None
        click.echo(
            json.dumps(
                {
                    "out": str(out),
                    "cells": finished.cells,
                    "done": outcome.done,
                    "failed": outcome.failed,
                    "interrupted": outcome.interrupted,
                    "written": written,
                    "page": str(page) if page else None,
                },
                indent=1,
            )
        )
        return
    if outcome.interrupted:
        click.echo("interrupted; run the same command again to continue")
        return
    click.echo(fitted((out / "results.md").read_text(), output_width()), nl=False)
    click.echo(f"\ntables and figures: {out}")
    click.echo(f"as a page: {page}")
