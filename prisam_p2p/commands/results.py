"""`prisam summary`, `bytes`, `sql` and `verify` read run folders. cli.py lists them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prisam_p2p.arguments import RUN, run_and_query, run_folder
from prisam_p2p.errors import CheckFailed
from prisam_p2p.options import option_in, table_or_json

if TYPE_CHECKING:
    from prisam_p2p.report.summaries import Summaries
    from prisam_p2p.report.verdicts import Judgement

_format = option_in(
    "Output",
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv", "parquet"]),
    default="table",
    help="Output. [table]",
)
_out = option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; required for parquet. [print]",
)


@click.argument("run", type=RUN, required=False)
@table_or_json
@option_in(
    "Output",
    "--all",
    "all_rows",
    is_flag=True,
    help="Print a row for every peer, also of more than 40.",
)
def summary(run: str | None, output: str, all_rows: bool) -> None:
    """Print a run's results. Writes its summary.json anew, also for a run that was killed.

    RUN is a run folder, or the beginning of a name in ./runs. Without it: the newest there.

    Where the folder takes no file (its disk is full or read-only) the results are printed only.

    More than 40 peers are printed as a digest: best, worst, by data group, by device profile, lost.
    A table that is too wide for the terminal leaves out columns from the right, never ids, and says
    which; a pipe gets all columns.

    Example: prisam summary runs/demo --format json
    """
    from prisam_p2p.measure.folders import baseline_of
    from prisam_p2p.report.summaries import Summaries

    folder = run_folder(run)
    baseline, summaries = baseline_of(folder), Summaries()
    for each in (folder, *([baseline] if baseline else [])):
        summaries.make(each)
    report_run(folder, baseline, summaries, quiet=False, output=output, all_rows=all_rows)
    if summaries.unwritten:
        click.echo(f"printed only: {summaries.unwritten}", err=True)


@click.argument("run", type=RUN, required=False)
@option_in(
    "Output",
    "--by",
    type=click.Choice(["kind", "link", "round", "layer", "peer", "host"]),
    help="Show only this table. [all; csv and parquet: kind]",
)
@option_in(
    "Output",
    "--top",
    type=click.IntRange(min=1),
    default=10,
    help="Number of links or peers to list. [10]",
)
@_format
@_out
def bytes_(run: str | None, by: str | None, top: int, output: str, out: Path | None) -> None:
    """Show a run's bytes by kind, layer, link and round, and what other methods would send.

    RUN is a run folder, or the beginning of a name in ./runs. Without it: the newest there.

    Every byte on the wire is accounted for against the kernel's counts: docs/ledger.md.

    Example: prisam bytes runs/demo --by link --top 5
    """
    from prisam_p2p.report.bytes_report import report_bytes
    from prisam_p2p.report.run_folder import RunFolder

    report_bytes(RunFolder(run_folder(run)), by, top, output, out)


@click.argument("words", type=RUN, nargs=-1, metavar="[RUN] QUERY")
@_format
@_out
def sql(words: tuple[str, ...], output: str, out: Path | None) -> None:
    """Answer QUERY, one SELECT over a run's journals and ledger. docs/sql.md has the tables.

    RUN is a run folder, or the beginning of a name in ./runs. Without it: the newest there.

    If there is one argument, it is the QUERY.

    Example: prisam sql runs/demo "SELECT kind, sum(wire) FROM ledger GROUP BY kind"
    """
    from prisam_p2p.report.database import answer
    from prisam_p2p.report.run_folder import RunFolder

    run, query = run_and_query(words)
    answer(RunFolder(run_folder(run)), query, output, out)


@click.argument("run", type=RUN, required=False)
@click.argument("run2", type=RUN, required=False)
@option_in(
    "Output",
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Output. [text]",
)
def verify(run: str | None, run2: str | None, output: str) -> None:
    """Compare two runs: masks, groups, chosen peers and final weights. Exit 4 if they differ.

    RUN and RUN2 are run folders, or beginnings of names in ./runs. One that is left out is the
    newest there that is not the other, so `prisam verify` compares the two newest. Different code
    of users is told, but is no difference if the results are the same.

    Example: prisam verify runs/one runs/two
    """
    from prisam_p2p.console import print_line
    from prisam_p2p.report.run_folder import RunFolder
    from prisam_p2p.report.verify import (
        code_differences,
        compare,
        compared,
        not_judged,
        outcome,
    )

    first = run_folder(run)
    one, other = RunFolder(first), RunFolder(run_folder(run2, "RUN2", besides=first))
    differences, counts = compare(one, other), compared(one, other)
    code = code_differences(one, other)
    if output == "json":
        texts = [str(each) for each in differences]
        found = {"same": not texts, "compared": counts, "not_judged": not_judged(counts)}
        click.echo(json.dumps({**found, "differences": texts, "code": code}))
    else:
        for each in (*differences, *code):
            print_line(str(each))
        print_line(outcome(differences, counts))
    if differences:
        sys.exit(CheckFailed.exit_code)


def report_run(
    run_dir: Path,
    baseline_dir: Path | None,
    summaries: Summaries,
    quiet: bool,
    output: str,
    all_rows: bool = False,
) -> Judgement:
    """Print a run's summary; return the rules that it, or its baseline, broke or left unchecked."""
    from prisam_p2p.console import print_line
    from prisam_p2p.report.run_folder import RunFolder
    from prisam_p2p.report.summary_table import print_summary
    from prisam_p2p.report.verdicts import Judgement, judge

    baseline = summaries.of(baseline_dir) if baseline_dir else None
    run, summary = RunFolder(run_dir), summaries.of(run_dir)
    if output == "json":
        beside = {"baseline": baseline} if baseline else {}
        click.echo(json.dumps({"run_dir": str(run_dir), **summary, **beside}, indent=1))
    elif not quiet:
        print_summary(summary, run.plan["model"], baseline, all_rows)
        print_line(f"run folder: {run_dir}")
    judged = judge(summary)
    if baseline is None:
        return judged
    other = judge(baseline)
    return Judgement(
        judged.broken + [f"baseline: {each}" for each in other.broken],
        judged.undecided + [f"baseline: {each}" for each in other.undecided],
    )
