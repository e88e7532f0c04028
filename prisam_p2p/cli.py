"""The commands: each parses its options, calls one function and sets the exit code."""

from __future__ import annotations

import os

# Set before NumPy and torch are imported. One thread per process, because peers share the cores and
# a process with a thread pool could not be forked.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import click  # noqa: E402

from prisam_p2p import __version__  # noqa: E402
from prisam_p2p.arguments import (  # noqa: E402
    DEFAULT_TOPOLOGY,
    FAULTS,
    RUN,
    TOPOLOGY,
    faults_file,
    run_and_query,
    run_folder,
    topology_file,
)
from prisam_p2p.bench.commands import bench  # noqa: E402
from prisam_p2p.command_group import EXIT_INTERRUPTED, Commands  # noqa: E402
from prisam_p2p.conformance.command import check  # noqa: E402
from prisam_p2p.errors import CheckFailed, Undecided  # noqa: E402
from prisam_p2p.experiment.command import experiment  # noqa: E402
from prisam_p2p.listing import KINDS, print_json, print_kinds  # noqa: E402
from prisam_p2p.options import (  # noqa: E402
    given_settings,
    option_in,
    settings_options,
    table_or_json,
    trust_option,
)
from prisam_p2p.soak.command import soak  # noqa: E402

if TYPE_CHECKING:
    from prisam_p2p.launch.launch import Launched
    from prisam_p2p.report.summaries import Summaries
    from prisam_p2p.report.verdicts import Judgement

_quiet = option_in("Output", "--quiet", is_flag=True, help="Print errors only.")
_output = option_in(
    "Output",
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Print the results as a table, or summary.json with the run's path. [table]",
)
_force = option_in(
    "Run", "--force", is_flag=True, help="Start also what does not fit on this machine."
)
_TABLE_OR_JSON = click.Choice(["table", "json"])
_FORMATS = click.Choice(["table", "json", "csv", "parquet"])
_HELP = {"help_option_names": ["-h", "--help"]}
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Commands, context_settings=_HELP)
@click.version_option(__version__)
def main() -> None:
    """PRISAM on real processes: personalized decentralized federated learning, emulated.

    \b
    Start here:
      prisam launch                                  12 peers on this machine, under a minute
      prisam launch ring-8 --rounds 3                another network: prisam list topologies
      prisam launch --help                           a command's options, with an example

    Exit codes: 0 done, 1 another error, 2 wrong input, or a run that does not fit on this machine
    (nothing was started), 3 a process did not start, or one that all peers depend on failed, 4 a
    finished run broke a rule, 5 a rule could not be checked, 6 the machine ran out of disk, memory,
    descriptors or processes, 130 interrupted.
    """


@main.command(context_settings=_HELP)  # launch.py runs it without the group
@click.argument("topology", type=TOPOLOGY, default=DEFAULT_TOPOLOGY)
@option_in(
    "Output",
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Folder to write the run to; must not exist. [runs/TOPOLOGY-ALGORITHM-TIME]",
)
@_quiet
@_output
@option_in(
    "Faults",
    "--faults",
    type=FAULTS,
    help="Inject faults: a scenario (its name or path), or the faults.json of an earlier run to "
    "repeat its faults. [none]",
)
@option_in(
    "Faults",
    "--control-run",
    is_flag=True,
    help="With --faults: also run without them, and compare.",
)
@trust_option
@_force
@settings_options
def launch(
    topology: str,
    run_dir: Path | None,
    quiet: bool,
    output: str,
    faults: str | None,
    control_run: bool,
    trust_code: bool,
    force: bool,
    **given: object,
) -> None:
    """Run a network of peers, each its own process, and report what it learned and sent.

    TOPOLOGY is the name or path of a file of peers, links and settings (see `prisam list`), or the
    plan.json of an earlier run, to run that again. Options win over the file's [run]. [clusters-12]

    Example: prisam launch ring-8 --rounds 3 --baseline local
    """
    source = topology_file(topology)
    scenario = faults_file(faults) if faults else None
    from prisam_p2p.launch.launch import launch as launch_run  # takes seconds: names come first
    from prisam_p2p.measure.folders import TWIN

    stamp, summaries = time.strftime("%Y%m%d-%H%M%S"), _summaries()
    launched = launch_run(
        source,
        given_settings(given),
        run_dir,
        Path("runs"),
        stamp,
        quiet,
        summaries.make,
        scenario,
        TWIN if control_run else None,
        trust_code,
        force,
    )
    _conclude(launched, summaries, quiet, output)


def _summaries() -> Summaries:
    from prisam_p2p.report.summaries import Summaries

    return Summaries()


def _report(
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


@main.command()
@click.argument("run", type=RUN, required=False)
@_quiet
@_output
@trust_option
@_force
def resume(run: str | None, quiet: bool, output: str, trust_code: bool, force: bool) -> None:
    """Continue a run whose launcher was killed or interrupted, to the same result.

    RUN is its folder, or the beginning of the name of one in ./runs. [the newest there] Peers
    continue from the last state that all of them have, with the settings of its plan.json. Faults
    that have fired do not fire again.

    Example: prisam resume runs/demo
    """
    from prisam_p2p.launch.resume import resume as resume_run

    summaries = _summaries()
    launched = resume_run(run_folder(run), quiet, summaries.make, trust_code, force)
    _conclude(launched, summaries, quiet, output)


def _conclude(launched: Launched, summaries: Summaries, quiet: bool, output: str) -> None:
    """Report a launch; exit as it ended."""
    from prisam_p2p.launch.run import INTERRUPTED

    judgement = _report(launched.run_dir, launched.baseline_dir, summaries, quiet, output)
    if launched.status == INTERRUPTED:
        sys.exit(EXIT_INTERRUPTED)
    if shortage := launched.refused or summaries.unwritten:
        raise shortage
    if judgement.broken:
        raise CheckFailed(f"{launched.run_dir}: {'; '.join(judgement.broken)}")
    if judgement.undecided:
        raise Undecided(f"{launched.run_dir}: {'; '.join(judgement.undecided)}")


@main.command()
@click.argument("topology", type=TOPOLOGY)
@option_in(
    "Faults",
    "--faults",
    type=FAULTS,
    help="Print which faults this would inject: a scenario (its name or path), or a run's "
    "faults.json. [none]",
)
@table_or_json
@trust_option
@settings_options
def plan(topology: str, faults: str | None, output: str, trust_code: bool, **given: object) -> None:
    """Print what a launch would need, beside what this machine has, and which faults it would do.

    Counts processes, connections and descriptors; measures a peer's memory and time in a short
    trial, which is remembered: docs/preflight.md. Starts no network. With --faults, --format json
    prints the faults alone, as a file for --faults.

    Example: prisam plan clusters-20 --faults churn-30
    """
    from prisam_p2p.console import print_line
    from prisam_p2p.faults.run_faults import print_faults
    from prisam_p2p.launch.launch import plan_launch
    from prisam_p2p.preflight.printed import as_dict, print_preflight

    preflight, found = plan_launch(
        topology_file(topology),
        given_settings(given),
        Path("runs"),
        faults_file(faults) if faults else None,
        trust_code,
    )
    if output == "json":
        click.echo(found.to_json() if found else json.dumps(as_dict(preflight), indent=1))
        return
    print_preflight(preflight)
    if found:
        print_line("")
        print_faults(found)


@main.command()
@click.argument("run", type=RUN, required=False)
@click.option("--format", "output", type=_TABLE_OR_JSON, default="table", help="Output. [table]")
@click.option(
    "--all", "all_rows", is_flag=True, help="Print a row for every peer, also of more than 40."
)
def summary(run: str | None, output: str, all_rows: bool) -> None:
    """Print a run's results. Writes its summary.json anew, also for a run that was killed.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] Where the
    folder takes no file (its disk is full or read-only) the results are printed only.

    More than 40 peers are printed as a digest: best, worst, by data group, by device profile, lost.
    A table that is too wide for the terminal leaves out columns from the right, never ids, and says
    which; a pipe gets all columns.

    Example: prisam summary runs/demo --format json
    """
    from prisam_p2p.measure.folders import baseline_of

    folder = run_folder(run)
    baseline, summaries = baseline_of(folder), _summaries()
    for each in (folder, *([baseline] if baseline else [])):
        summaries.make(each)
    _report(folder, baseline, summaries, quiet=False, output=output, all_rows=all_rows)
    if summaries.unwritten:
        click.echo(f"printed only: {summaries.unwritten}", err=True)


@main.command("bytes")
@click.argument("run", type=RUN, required=False)
@click.option(
    "--by",
    type=click.Choice(["kind", "link", "round", "layer", "peer"]),
    help="Show only this table. [all; csv and parquet: kind]",
)
@click.option(
    "--top", type=click.IntRange(min=1), default=10, help="Number of links or peers to list. [10]"
)
@click.option("--format", "output", type=_FORMATS, default="table", help="Output. [table]")
@click.option("--out", type=_FILE, help="File to write; required for parquet. [print]")
def bytes_(run: str | None, by: str | None, top: int, output: str, out: Path | None) -> None:
    """Show a run's bytes by kind, layer, link and round, and what other methods would send.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] Every
    byte on the wire is accounted for against the kernel's counts: docs/ledger.md.

    Example: prisam bytes runs/demo --by link --top 5
    """
    from prisam_p2p.report.bytes_report import report_bytes
    from prisam_p2p.report.run_folder import RunFolder

    report_bytes(RunFolder(run_folder(run)), by, top, output, out)


@main.command()
@click.argument("words", type=RUN, nargs=-1, metavar="[RUN] QUERY")
@click.option("--format", "output", type=_FORMATS, default="table", help="Output. [table]")
@click.option("--out", type=_FILE, help="File to write; required for parquet. [print]")
def sql(words: tuple[str, ...], output: str, out: Path | None) -> None:
    """Answer QUERY, one SELECT over a run's journals and ledger. docs/sql.md has the tables.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] If there
    is one argument, it is the QUERY.

    Example: prisam sql runs/demo "SELECT kind, sum(wire) FROM ledger GROUP BY kind"
    """
    from prisam_p2p.report.database import answer
    from prisam_p2p.report.run_folder import RunFolder

    run, query = run_and_query(words)
    answer(RunFolder(run_folder(run)), query, output, out)


@main.command()
@click.argument("run", type=RUN, required=False)
@click.argument("run2", type=RUN, required=False)
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output. [text]"
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


@main.command()
@click.option("--format", "output", type=_TABLE_OR_JSON, default="table", help="Output. [table]")
def doctor(output: str) -> None:
    """Test what network emulation this machine can do, and measure one link: docs/network.md.

    Names what each missing piece costs. Takes some seconds and leaves nothing behind.

    Example: prisam doctor --format json
    """
    from prisam_p2p.netns.doctor import examine, print_findings

    found = examine()
    if output == "json":
        click.echo(json.dumps(found, indent=1))
    else:
        print_findings(found)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a small commented project of your own to DIR.

    It has a network, a device, faults, a model, a data set, an algorithm and a notebook, and a
    README.md with the commands to run. Nothing is overwritten.

    Example: prisam init my-network
    """
    from prisam_p2p.new_project import write_project

    for path in write_project(folder):
        click.echo(f"wrote {path}")
    click.echo(f"next: cd {folder} && prisam launch my-network")


@main.command("list")
@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
@click.option("--format", "output", type=_TABLE_OR_JSON, default="table", help="Output. [table]")
def list_(kind: str | None, output: str) -> None:
    """List what a run can be made of, and the runs in ./runs, with a line about each.

    Your own files in ./topologies and ./peers hide those of the package that have their names.

    Example: prisam list topologies
    """
    (print_json if output == "json" else print_kinds)([kind] if kind else [])


main.add_command(bench)
main.command()(soak)
main.command()(experiment)
main.command()(check)
