"""`prisam check`: parse, run, print, exit code. cli.py makes it a command."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prisam_p2p.arguments import ALGORITHM
from prisam_p2p.errors import CheckFailed, ConfigError
from prisam_p2p.options import option_in, table_or_json

if TYPE_CHECKING:
    from prisam_p2p.conformance.findings import Finding


@click.argument("algorithm", metavar="CODE", type=ALGORITHM)
@option_in(
    "Output",
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder to keep the runs in; must not exist. [removed if all is well]",
)
@table_or_json
def check(algorithm: str, keep: Path | None, output: str) -> None:
    """Run an algorithm of your own on a small network, and tell what is wrong with it.

    CODE is what --algorithm takes: ./file.py:attribute, package.module:attribute, or a name. Four
    peers run it four times: twice as it is, once with a peer killed and another restarted, and
    once interrupted and resumed. Exit 4 if a rule is broken. docs/extending.md

    Example: prisam check ./examples/fedavg.py:fedavg
    """
    from prisam_p2p.conformance.findings import check as check_algorithm
    from prisam_p2p.conformance.trials import Trials
    from prisam_p2p.report.verdicts import FALSE

    if keep and keep.exists():
        raise ConfigError("--keep", "", str(keep), "a folder that does not exist yet")
    made = Path(tempfile.mkdtemp(prefix="prisam-check-"))
    folder = keep or made / "runs"
    found = []
    try:
        quiet = output == "json"
        found = check_algorithm(Trials(folder, algorithm), lambda f: None if quiet else _show(f))
        broken = [each for each in found if each.verdict == FALSE]
        if quiet:
            shown = {"ok": not broken, "findings": [asdict(each) for each in found]}
            click.echo(json.dumps(shown, indent=1))
        if broken:
            told = f"{len(broken)} of {len(found)} rules broken"
            raise CheckFailed(f"{algorithm}: {told}; see {folder}")
    finally:
        if keep or not any(each.verdict == FALSE for each in found):
            shutil.rmtree(made)


def _show(finding: Finding) -> None:
    click.echo(f"{finding.rule}: {finding.verdict}; {finding.why}")
