"""Measure the forward time of slim networks as a ratio to the dense one, in one thread.

Dense and slim networks are timed alternately, so that a machine that slows down slows all of
them. Usage:

    python benchmarks/slim_speed.py --repeats 30
"""

from __future__ import annotations

import json
import math
import platform
import statistics
import time
from collections.abc import Mapping
from typing import TypedDict

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from prisam_p2p.core.layout import Layout, Mask, narrow
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.structure import layout_of, slim_module, weights_of

MODELS = ("vgg11", "resnet20")
RATIOS = (0.0, 0.3, 0.5, 0.7)
BATCHES = (1, 32)


class Row(TypedDict):
    """One model, batch and prune ratio; times are those of a forward pass of the whole batch."""

    model: str
    batch: int
    rho: float
    macs_ratio: float
    median_ms: float
    quartiles_ms: tuple[float, float]
    time_ratio: float
    repeats: int


def random_mask(layout: Layout, rho: float) -> Mask:
    """Return a mask that keeps n - floor(rho * n) random channels of each set of n, at least 1."""
    rng = np.random.default_rng(0)
    mask = np.zeros(layout.n_bits, np.bool_)
    for span in layout.spans:
        n = span.stop - span.start
        mask[span.start + rng.permutation(n)[: max(1, n - math.floor(rho * n))]] = True
    return mask


def times_ms(
    nets: Mapping[float, nn.Module], images: torch.Tensor, repeats: int
) -> dict[float, list[float]]:
    """Return the milliseconds of each network's forward passes, measured alternately."""
    times: dict[float, list[float]] = {rho: [] for rho in nets}
    with torch.inference_mode():
        for repeat in range(repeats + 3):
            for rho, net in nets.items():
                begun = time.perf_counter()
                net(images)
                elapsed_ms = (time.perf_counter() - begun) * 1e3
                if repeat >= 3:  # the first passes warm up caches
                    times[rho].append(elapsed_ms)
    return times


def measure(model: str, repeats: int) -> list[Row]:
    """Return a row for each batch and ratio of one model, on 32x32 images and 10 classes."""
    asked = Architecture(model, 1.0, 10, (3, 32, 32))
    layout = layout_of(asked)
    dense = weights_of(build(asked, 0), layout.full_mask())
    masks = {rho: random_mask(layout, rho) for rho in RATIOS}
    nets = {rho: slim_module(asked, narrow(layout, dense, m)).eval() for rho, m in masks.items()}
    cost = {rho: macs(asked, mask) for rho, mask in masks.items()}
    rows: list[Row] = []
    for batch in BATCHES:
        times = times_ms(nets, torch.randn(batch, *asked.image_shape), repeats)
        median = {rho: statistics.median(values) for rho, values in times.items()}
        for rho, values in times.items():
            lower, _, upper = statistics.quantiles(values, n=4)
            rows.append(
                {
                    "model": model,
                    "batch": batch,
                    "rho": rho,
                    "macs_ratio": cost[rho] / cost[0.0],
                    "median_ms": median[rho],
                    "quartiles_ms": (lower, upper),
                    "time_ratio": median[rho] / median[0.0],
                    "repeats": repeats,
                }
            )
    return rows


def hardware() -> str:
    """Return the names of the processor, as Linux gives it, and of torch's version."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            name = next(line.split(":")[1].strip() for line in cpuinfo if "model name" in line)
    except (OSError, StopIteration):
        pass  # not Linux, or an ARM processor: use the machine's name
    return f"{name}, 1 thread, torch {torch.__version__}"


@click.command()
@click.option("--repeats", default=30, show_default=True, type=click.IntRange(2), help="Passes.")
@click.option("--format", "shape", default="table", type=click.Choice(["table", "json"]))
def main(repeats: int, shape: str) -> None:
    """Print forward times of slim networks as ratios to the dense one."""
    torch.set_num_threads(1)
    rows = [row for model in MODELS for row in measure(model, repeats)]
    if shape == "json":
        click.echo(json.dumps({"hardware": hardware(), "rows": rows}, indent=2))
        return
    click.echo(f"Forward pass, median of {repeats} and quartiles. {hardware()}")
    table = Table()
    for column in ("model", "batch", "rho", "MACs/dense", "time/dense", "ms", "quartiles"):
        table.add_column(column, justify="left" if column == "model" else "right", no_wrap=True)
    for row in rows:
        lower, upper = row["quartiles_ms"]
        table.add_row(
            *(row["model"], str(row["batch"]), f"{row['rho']:.1f}", f"{row['macs_ratio']:.3f}"),
            *(f"{row['time_ratio']:.3f}", f"{row['median_ms']:.2f}", f"{lower:.2f}-{upper:.2f}"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
