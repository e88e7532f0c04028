"""`prisam soak`: parse, run, print. cli.py makes it a command."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prisam_p2p.arguments import DEFAULT_TOPOLOGY, TOPOLOGY, topology_file
from prisam_p2p.errors import CheckFailed, ConfigError
from prisam_p2p.options import (
    given_settings,
    option_in,
    settings_options,
    table_or_json,
    trust_option,
)

if TYPE_CHECKING:
    from prisam_p2p.soak.soak import Cycle
    from prisam_p2p.soak.unplanned.launches import Launches
    from prisam_p2p.soak.unplanned.series import UnplannedCycle

_DEFAULTS = {"rounds": 8, "network": "loopback"}
_UNPLANNED_DEFAULTS = {**_DEFAULTS, "stall_timeout_s": 5.0}


@click.argument("topology", type=TOPOLOGY, default=DEFAULT_TOPOLOGY)
@option_in(
    "Soak", "--minutes", type=click.FloatRange(min=0), default=30.0, help="Minutes to run. [30]"
)
@option_in(
    "Soak",
    "--unplanned",
    is_flag=True,
    help="Disturb runs from outside, without a plan: signals to any process, full disks, few "
    "descriptors.",
)
@option_in(
    "Soak",
    "--replay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --unplanned: do one run again, from the disturbances.json that its folder has.",
)
@option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for runs that failed; must not exist. [runs/soak-TIME]",
)
@table_or_json
@trust_option
@settings_options
def soak(
    topology: str,
    minutes: float,
    unplanned: bool,
    replay: Path | None,
    out: Path | None,
    output: str,
    trust_code: bool,
    **given: Any,
) -> None:
    """Do run after run with random kills, restarts, pauses and link cuts, drawn from --seed.

    Each run must end, break no rule and leave nothing behind. Links are cut only with
    --network namespaces. With --unplanned nothing in a run knows of what will happen to it, and
    each run must also tell the truth about it.

    Its own defaults: --rounds 8, --network loopback; with --unplanned, --stall-timeout-s 5.

    Example: prisam soak --minutes 10 --seed 3
    """
    settings: dict[str, Any] = (_UNPLANNED_DEFAULTS if unplanned else _DEFAULTS) | given_settings(
        given
    )
    if settings["rounds"] < 3:
        raise ConfigError("--rounds", "", settings["rounds"], "at least 3")
    if replay and not unplanned:
        raise ConfigError("--replay", "", str(replay), "--unplanned beside it")
    folder = out or Path("runs") / f"soak-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists():
        raise ConfigError("--out", "", str(folder), "a folder that does not exist yet")
    seed = settings.pop("seed", 0)
    path = topology_file(topology)
    if unplanned:
        from prisam_p2p.soak.unplanned.launches import Launches

        launches = Launches(path, settings, trust_code)
        _report(*_unplanned(launches, minutes, seed, folder, replay), folder, output)
    else:
        _report(*_planned(path, settings, minutes, seed, folder, trust_code), folder, output)


def _planned(
    topology: Path,
    settings: dict[str, Any],
    minutes: float,
    seed: int,
    folder: Path,
    trust_code: bool,
) -> tuple[dict[str, Any], list[Cycle]]:
    """Soak with planned faults; return totals and cycles."""
    from prisam_p2p.soak.soak import soak as run_soak

    cycles = run_soak(topology, settings, minutes, seed, folder, _show, trust_code)
    return _totals(cycles, seed), cycles


def _unplanned(
    launches: Launches, minutes: float, seed: int, folder: Path, replay: Path | None
) -> tuple[dict[str, Any], list[UnplannedCycle]]:
    """Soak with disturbances from outside; return totals and cycles."""
    from prisam_p2p.soak.unplanned.disturbances import read_drawn_run
    from prisam_p2p.soak.unplanned.series import soak_unplanned
    from prisam_p2p.soak.unplanned.totals import cycle_line, totals

    again = read_drawn_run(replay) if replay else None

    def show(cycle: UnplannedCycle, left_s: float) -> None:
        click.echo(f"{cycle_line(cycle)} ({left_s / 60:.0f} min left)", err=True)

    series, cycles = soak_unplanned(launches, minutes, seed, folder, again, show)
    return totals(series, cycles, seed), cycles


def _report(
    totals: dict[str, Any],
    cycles: Sequence[Cycle] | Sequence[UnplannedCycle],
    folder: Path,
    output: str,
) -> None:
    """Print totals.

    Raises:
        CheckFailed: a cycle was not good.
    """
    if output == "json":
        click.echo(json.dumps({**totals, "cycles": [asdict(cycle) for cycle in cycles]}, indent=1))
    else:
        for name, value in totals.items():
            click.echo(f"{name.replace('_', ' ')}: {_text(value)}")
    bad = [cycle.number for cycle in cycles if not cycle.is_good]
    if bad:
        raise CheckFailed(f"{folder}: cycles {', '.join(map(str, bad))} were not good")


def _show(cycle: Cycle, left_s: float) -> None:
    faults = ", ".join(f"{n} {kind}" for kind, n in sorted(cycle.fired.items()))
    bad = [*(["hung"] if cycle.hung else []), *cycle.leaked, *cycle.broken]
    verdict = "good" if cycle.is_good else "; ".join(bad)
    line = f"cycle {cycle.number}: {cycle.duration_s:.0f} s, {faults or 'nothing fired'}: {verdict}"
    click.echo(f"{line} ({left_s / 60:.0f} min left)", err=True)


def _text(value: object) -> str:
    """Return a total in words; a mapping as its keys with their numbers of runs."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {n}" for name, n in value.items()) or "none"


def _totals(cycles: list[Cycle], seed: int) -> dict[str, Any]:
    fired: Counter[str] = Counter()
    not_judged: Counter[str] = Counter()
    for cycle in cycles:
        fired.update(cycle.fired)
        not_judged.update(cycle.not_judged)
    return {
        "seed": seed,
        "runs": len(cycles),
        "good": sum(cycle.is_good for cycle in cycles),
        "minutes": round(sum(cycle.duration_s for cycle in cycles) / 60, 1),
        "faults_fired": dict(sorted(fired.items())),
        "undecided": sum(cycle.undecided for cycle in cycles),
        "not_judged": dict(sorted(not_judged.items())),
        "connections": sum(cycle.connections for cycle in cycles),
        "unexplained_bytes": sum(cycle.unexplained_bytes for cycle in cycles),
        "hangs": sum(cycle.hung for cycle in cycles),
        "leaks": sum(len(cycle.leaked) for cycle in cycles),
    }
