"""`prisam soak`: parse, run, print. cli.py makes it a command."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prisam_p2p.arguments import DEFAULT_TOPOLOGY, TOPOLOGY, topology_file
from prisam_p2p.errors import CheckFailed, ConfigError
from prisam_p2p.options import given_settings, option_in, settings_options, trust_option

if TYPE_CHECKING:
    from prisam_p2p.soak.soak import Cycle

_DEFAULTS = {"rounds": 8, "network": "loopback"}


@click.argument("topology", type=TOPOLOGY, default=DEFAULT_TOPOLOGY)
@option_in(
    "Soak", "--minutes", type=click.FloatRange(min=0), default=30.0, help="Minutes to run. [30]"
)
@option_in(
    "Output",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for runs that failed; must not exist. [runs/soak-TIME]",
)
@option_in(
    "Output",
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Output. [table]",
)
@trust_option
@settings_options
def soak(
    topology: str,
    minutes: float,
    out: Path | None,
    output: str,
    trust_code: bool,
    **given: Any,
) -> None:
    """Do run after run with random kills, restarts, pauses and link cuts, drawn from --seed.

    Each run must end, break no rule and leave nothing behind. Links are cut only with
    --network namespaces.

    Example: prisam soak --minutes 10 --seed 3
    """
    from prisam_p2p.soak.soak import soak as run_soak

    overrides: dict[str, Any] = _DEFAULTS | given_settings(given)
    if overrides["rounds"] < 3:
        raise ConfigError("--rounds", "", overrides["rounds"], "at least 3")
    folder = out or Path("runs") / f"soak-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists():
        raise ConfigError("--out", "", str(folder), "a folder that does not exist yet")
    seed = overrides.get("seed", 0)
    path = topology_file(topology)
    cycles = run_soak(path, overrides, minutes, seed, folder, _show, trust_code)
    totals = _totals(cycles, seed)
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
