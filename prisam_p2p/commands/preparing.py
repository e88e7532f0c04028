"""`prisam plan`, `doctor`, `init` and `list`: before a run. cli.py lists them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from prisam_p2p.arguments import FAULTS, TOPOLOGY, faults_file, topology_file
from prisam_p2p.listing import KINDS, print_json, print_kinds
from prisam_p2p.options import (
    given_settings,
    option_in,
    settings_options,
    table_or_json,
    trust_option,
)
from prisam_p2p.settings import EngineName, Heading


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
    """Print what a launch would need, beside what this machine has, and its faults.

    Counts processes, connections and descriptors; measures a peer's memory and time in a short
    trial, which is remembered: docs/preflight.md. Starts no network. With --faults, --format json
    prints the faults alone, as a file for --faults.

    Example: prisam plan clusters-20 --faults churn-30
    """
    from prisam_p2p.console import print_line
    from prisam_p2p.faults.run_faults import print_data_changes, print_faults
    from prisam_p2p.launch.launch import plan_launch
    from prisam_p2p.preflight.printed import as_dict, print_preflight

    preflight, found, planned = plan_launch(
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
        print_data_changes(planned)


@option_in(
    Heading.HOSTS,
    "--on",
    "engine",
    type=click.Choice([each.value for each in EngineName if each is not EngineName.NONE]),
    help="Examine the hosts of this engine instead: are their ports reached, how well are their "
    "clocks known, round trips and rates between them, what each lacks. docs/hosts.md",
)
@option_in(
    Heading.HOSTS,
    "--hosts",
    type=click.IntRange(1),
    metavar="N",
    help="With --on: only the first N that it offers. [all; 2 with local]",
)
@table_or_json
def doctor(output: str, engine: str | None, hosts: int | None) -> None:
    """Test what network emulation this machine can do, and measure one link: docs/network.md.

    Names what each missing piece costs. Takes some seconds and leaves nothing behind. With --on it
    starts an agent on each host of an engine; exit code 1: no run is possible on these hosts.

    Example: prisam doctor --on ray
    """
    if hosts is not None and engine is None:
        raise click.UsageError("--hosts is an option beside --on")
    if engine:
        _examine_hosts(EngineName(engine), hosts, output)
        return
    from prisam_p2p.netns.doctor import examine, print_findings

    found = examine()
    if output == "json":
        click.echo(json.dumps(found, indent=1))
    else:
        print_findings(found)


def _examine_hosts(name: EngineName, hosts: int | None, output: str) -> None:
    from prisam_p2p.hosts.doctor.examination import examine_hosts
    from prisam_p2p.hosts.doctor.printed import print_hosts_report
    from prisam_p2p.hosts.engines.choice import engine_of

    engine = engine_of(name, hosts)
    assert engine
    report = examine_hosts(engine, hosts)
    if output == "json":
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        print_hosts_report(report)
    if not report.usable:
        click.get_current_context().exit(1)


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


@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
@table_or_json
def list_(kind: str | None, output: str) -> None:
    """List what a run can be made of, and the runs in ./runs, with a line about each.

    Your own files in ./topologies and ./peers hide those of the package that have their names.

    Example: prisam list topologies
    """
    (print_json if output == "json" else print_kinds)([kind] if kind else [])
