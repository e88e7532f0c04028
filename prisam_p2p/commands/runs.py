"""`prisam launch` and `resume`: start a run, report it, exit as it ended. cli.py lists them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prisam_p2p.arguments import (
    DEFAULT_TOPOLOGY,
    FAULTS,
    RUN,
    TOPOLOGY,
    faults_file,
    run_folder,
    topology_file,
)
from prisam_p2p.commands.results import report_run
from prisam_p2p.errors import CheckFailed, Undecided
from prisam_p2p.export.sinks import require_sink
from prisam_p2p.options import (
    given_settings,
    option_in,
    settings_options,
    some_settings,
    trust_option,
)
from prisam_p2p.system.stop_requests import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from prisam_p2p.launch.launch import Launched
    from prisam_p2p.report.summaries import Summaries

_quiet = option_in("Output", "--quiet", is_flag=True, help="Print errors only.")
_output = option_in(
    "Output",
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Print the results as a table, or summary.json with the run's path. [table]",
)
_ui = option_in(
    "Output",
    "--ui",
    is_flag=True,
    help="Show the run in a browser meanwhile: prints an address, opens nothing.",
)
_log_to = option_in(
    "Output",
    "--log-to",
    type=click.Choice(["tensorboard"]),
    help="Write the run for a tracker while it runs, to RUN/export/TRACKER; prints how to see it. "
    "docs/export.md",
)
_force = option_in(
    "Run", "--force", is_flag=True, help="Start also what does not fit on this machine."
)


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
@_ui
@_log_to
@trust_option
@settings_options
@_force
def launch(
    topology: str,
    run_dir: Path | None,
    quiet: bool,
    output: str,
    faults: str | None,
    control_run: bool,
    ui: bool,
    log_to: str | None,
    trust_code: bool,
    force: bool,
    **given: object,
) -> None:
    """Run a network of peers, each its own process, and report what it learned and sent.

    TOPOLOGY is the name or path of a file of peers, links and settings (see `prisam list`), or the
    plan.json of an earlier run, to run that again. Options win over the file's [run]. Without
    TOPOLOGY: clusters-12.

    Example: prisam launch ring-8 --rounds 3 --baseline local
    """
    source = topology_file(topology)
    scenario = faults_file(faults) if faults else None
    if log_to:
        require_sink(log_to, "--log-to")
    from prisam_p2p.launch.launch import launch as launch_run  # takes seconds: names come first
    from prisam_p2p.measure.folders import TWIN
    from prisam_p2p.report.summaries import Summaries

    stamp, summaries = time.strftime("%Y%m%d-%H%M%S"), Summaries()
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
        ui=ui,
        log_to=log_to,
    )
    _conclude(launched, summaries, quiet, output, ui)


@click.argument("run", type=RUN, required=False)
@_quiet
@_output
@_ui
@_log_to
@trust_option
@some_settings("on", "hosts", unset="as it was")
@_force
def resume(
    run: str | None,
    quiet: bool,
    output: str,
    ui: bool,
    log_to: str | None,
    trust_code: bool,
    force: bool,
    on: str | None,
    hosts: int | None,
) -> None:
    """Continue a run whose launcher was killed or interrupted, to the same result.

    RUN is its folder, or the beginning of a name in ./runs. Without it: the newest there.

    Peers continue from the last state that all of them have, with the settings of its plan.json.
    Faults that have fired do not fire again. --on and --hosts continue it on other hosts, on
    another number of them, or on this machine alone (--on none); without them, where it was.

    Example: prisam resume runs/demo
    """
    if log_to:
        require_sink(log_to, "--log-to")
    from prisam_p2p.launch.resume import resume as resume_run
    from prisam_p2p.report.summaries import Summaries

    summaries = Summaries()
    elsewhere = {"on": on, "hosts": hosts}
    launched = resume_run(
        run_folder(run), quiet, summaries.make, trust_code, force, ui, log_to, elsewhere
    )
    _conclude(launched, summaries, quiet, output, ui)


def _conclude(
    launched: Launched, summaries: Summaries, quiet: bool, output: str, was_shown: bool
) -> None:
    """Report a launch; exit as it ended."""
    from prisam_p2p.launch.run import INTERRUPTED

    judgement = report_run(launched.run_dir, launched.baseline_dir, summaries, quiet, output)
    if was_shown and not quiet:
        run = launched.run_dir
        click.echo(f"to see it again: prisam view {run}; as a file: prisam report {run}", err=True)
    if launched.status == INTERRUPTED:
        sys.exit(EXIT_INTERRUPTED)
    if shortage := launched.refused or summaries.unwritten:
        raise shortage
    if judgement.broken:
        raise CheckFailed(f"{launched.run_dir}: {'; '.join(judgement.broken)}")
    if judgement.undecided:
        raise Undecided(f"{launched.run_dir}: {'; '.join(judgement.undecided)}")
