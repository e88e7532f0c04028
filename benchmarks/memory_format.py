"""Compare the CPU time of a training step on channels-last and on contiguous tensors.

python benchmarks/memory_format.py [--repeats N] [--format json]
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import torch
from torch import nn

from prisam_p2p.learn.models import Architecture, build
from prisam_p2p.learn.training import Sgd

CASES = [
    ("vgg-s", (1, 8, 8), 16),
    ("vgg-s", (3, 32, 32), 32),
    ("vgg11", (3, 32, 32), 32),
    ("resnet20", (3, 32, 32), 32),
]
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def stepper(name: str, shape: tuple[int, int, int], batch: int, layout: torch.memory_format):
    """Return a function that makes one training step and returns its CPU time in seconds."""
    net = build(Architecture(name, 1.0, 10, shape), 0).to(memory_format=layout)
    images = torch.randn(batch, *shape).to(memory_format=layout)
    labels = torch.arange(batch) % 10
    optimizer = Sgd(net, 0.01, 0.9)

    def step() -> float:
        began = time.thread_time()
        net.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        return time.thread_time() - began

    return step


@click.command()
@click.option("--repeats", default=15, help="Steps in each format, alternately. [15]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(repeats: int, output: str) -> None:
    """Compare the two memory formats in one thread, with alternating steps."""
    torch.set_num_threads(1)
    rows = []
    for name, shape, batch in CASES:
        steps = {label: stepper(name, shape, batch, kind) for label, kind in FORMATS.items()}
        for step in steps.values():
            step()
        times = [{label: step() for label, step in steps.items()} for _ in range(repeats)]
        ratios = [t["channels last"] / t["contiguous"] for t in times]
        rows.append(
            {
                "model": name,
                "shape": shape,
                "batch": batch,
                "ratio": round(statistics.median(ratios), 3),
                "min": round(min(ratios), 3),
                "max": round(max(ratios), 3),
                "contiguous_ms": round(statistics.median(t["contiguous"] for t in times) * 1e3, 2),
            }
        )
    host = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    if output == "json":
        print(json.dumps({"host": host, "n": repeats, "rows": rows}))
        return
    print(f"{host}, n = {repeats}: channels last / contiguous, median (min - max)")
    for row in rows:
        what = f"{row['model']} {row['shape']} batch {row['batch']}"
        print(f"{what:32} {row['ratio']} ({row['min']} - {row['max']})", end="")
        print(f" of {row['contiguous_ms']} ms")


if __name__ == "__main__":
    main()
