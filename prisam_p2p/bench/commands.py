"""`prisam bench wire | discovery`: parse, measure, print."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from prisam_p2p.bench.table import print_rows
from prisam_p2p.shipped import DEFAULT_TOPOLOGY

_FORMAT = click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Output. [table]",
)


@click.group()
def bench() -> None:
    """Measure the wire on this machine: its speed, and the cost of discovery.

    Each ratio is of one run that measures both sides in turns. Close other programs first.
    """


@bench.command()
@click.option("--model", default="vgg11", help="Model whose dense weights are pulled. [vgg11]")
@click.option(
    "--classes",
    type=click.IntRange(min=2),
    default=100,
    help="Number of classes of the model. [100]",
)
@click.option(
    "--repeats", type=click.IntRange(min=1), default=9, help="Measurements of each figure. [9]"
)
@_FORMAT
def wire(model: str, classes: int, repeats: int, output: str) -> None:
    """Compare pulls with raw TCP, and masks with bare pyzmq and with cosines of weights.

    Measures also what the metering costs."""
    from prisam_p2p.bench.wire import wire_speed

    rows = wire_speed(model, classes, repeats, DEFAULT_TOPOLOGY)
    if output == "json":
        _print_json({"repeats": repeats, "rows": [asdict(row) for row in rows]})
        return
    print_rows(
        ("what", "ours", "beside", "unit", "ratio", "aim"),
        [(r.what, r.ours, r.beside, r.unit, r.ratio, r.aim) for r in rows],
    )
    click.echo(f"{_hardware()}; medians of {repeats}")


@bench.command()
@click.option("--model", default="vgg11", help="Model that the two peers train. [vgg11]")
@click.option("--rounds", type=click.IntRange(min=1), default=15, help="Rounds to train. [15]")
@click.option(
    "--prune-ratios",
    type=(click.FloatRange(0, 0.95), click.FloatRange(0, 0.95)),
    default=(0.3, 0.5),
    metavar="FLOAT FLOAT",
    help="Prune ratios of the two peers; with equal ones, masks stay the same after a round or "
    "two. [0.3 0.5]",
)
@click.option("--images", type=click.IntRange(min=8), default=40, help="Images of a peer. [40]")
@click.option(
    "--dataset",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An .npz (see prisam launch). [pairs of scikit-learn's digits: 100 classes]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Seed of data and training. [0]"
)
@_FORMAT
def discovery(output: str, **values: Any) -> None:
    """Compare a mask on the wire with a dense model on the wire, headers and ACKs included.

    Two peers, each its own process, train for real; the wire's bytes are the run's ledger.
    """
    from prisam_p2p.bench.discovery import discovery as measure

    found = measure(progress=lambda text: click.echo(text, err=True), **values)
    if output == "json":
        _print_json(asdict(found))
        return
    print_rows(("figure", "value"), found.lines())
    print_rows(
        ("round", "mask payload B", "mask on the wire B", "model / mask"),
        [
            (t, payload, wire, found.pull_wire / wire)
            for t, (payload, wire) in enumerate(
                zip(found.mask_payload, found.mask_wire, strict=True)
            )
        ],
    )


def _print_json(values: dict[str, Any]) -> None:
    click.echo(json.dumps({"hardware": _hardware(), **values}, indent=1))


def _hardware() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
