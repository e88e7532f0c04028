"""`prisam experiment`: parse, call, print, exit code."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from prisam_p2p.errors import CheckFailed
from prisam_p2p.options import settings_options

RESULTS = Path("results")
EXIT_INTERRUPTED = 130


@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder. [results/NAME]")
@click.option("--only", metavar="PATTERN", help="Cells whose names fit, such as '*seed-0'. [all]")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Cells at once. [as many as cores and memory allow]",
)
@click.option("--dry-run", is_flag=True, help="Print the cells and the time they will take.")
@click.option(
    "--tables-only", is_flag=True, help="Run nothing: tables and figures of what is done in --out."
)
@click.option("--keep-models", is_flag=True, help="Keep each cell's models and peer states.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", help="[table]"
)
@settings_options
def experiment(
    file: Path,
    out: Path | None,
    only: str | None,
    jobs: int | None,
    dry_run: bool,
    tables_only: bool,
    keep_models: bool,
    output: str,
    **given: object,
) -> None:
    """Run a grid of runs and make tables and figures of them: docs/experiments.md.

    FILE is an experiment (topologies/experiments/*/*.toml). What is done in --out is skipped, so an
    interrupted experiment goes on where it was. Settings given here hold for every cell.
    """
    from prisam_p2p.experiment.experiment_file import Wish, forecast, run_experiment, tabulate
    from prisam_p2p.experiment.grid import load_grid
    from prisam_p2p.experiment.progress import observer

    grid = load_grid(file)
    overrides = {name: _plain(value) for name, value in given.items() if value is not None}
    wish = Wish(out or RESULTS / grid.name, overrides, only, jobs, keep_models)
    if dry_run:
        _print_forecast(forecast(grid, wish), output)
        return
    if tables_only:
        _print_finished(tabulate(grid, wish), wish.out, output)
        return
    shown = observer()
    try:
        finished = run_experiment(grid, wish, shown)
    finally:
        shown.end()
    _print_finished(finished, wish.out, output)
    if finished.outcome.interrupted:
        sys.exit(EXIT_INTERRUPTED)
    if finished.outcome.failed:
        names = ", ".join(finished.outcome.failed)
        raise CheckFailed(f"{wish.out}: {len(finished.outcome.failed)} cells failed: {names}")


def _plain(value: object) -> Any:
    return str(value.resolve()) if isinstance(value, Path) else value


def _print_forecast(cells: list[Any], output: str) -> None:
    from prisam_p2p.experiment.progress import duration

    to_do = [cell for cell in cells if not cell.done]
    total_s = sum(cell.seconds for cell in to_do)
    if output == "json":
        click.echo(json.dumps({"cells": [asdict(c) for c in cells], "left_s": total_s}, indent=1))
        return
    for cell in cells:
        took = (
            f"done in {duration(cell.seconds)}" if cell.done else f"about {duration(cell.seconds)}"
        )
        click.echo(f"{cell.name}: {took}")
    click.echo(f"{len(to_do)} of {len(cells)} to do, about {duration(total_s)} one after another")


def _print_finished(finished: Any, out: Path, output: str) -> None:
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
                },
                indent=1,
            )
        )
        return
    if outcome.interrupted:
        click.echo("interrupted; the same command goes on from here")
        return
    click.echo((out / "results.md").read_text(), nl=False)
    click.echo(f"\ntables and figures: {out}")
