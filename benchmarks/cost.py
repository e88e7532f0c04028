"""Measure the overhead of a network of processes over the same training in one plain loop.

    python benchmarks/cost.py [--repeats N] [--format json]

Both sides run alternately, as whole processes (imports included), on random images of CIFAR-10's
shape, as times do not depend on the content. CPU time is that of the whole process tree, by the
kernel's accounting of reaped children. PSS is the largest sum over the tree in samples 0.25 s
apart; it is measured in separate runs, because sampling takes a third of a core.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click
import numpy as np
import psutil

HERE = Path(__file__).parent
PLAIN = {"plain": "contiguous", "plain channels last": "channels-last"}
"""The loop as it is usually written, and with the memory format that the peers use."""


def images(path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 4000), ("test", 2000)):
        parts[f"x_{part}"] = rng.integers(0, 256, (n, 32, 32, 3), np.uint8)
        parts[f"y_{part}"] = np.arange(n) % 10
    np.savez(path, **parts)


def measure(command: list[str], memory: bool) -> dict[str, float]:
    """Run `command`; return its wall time and CPU time in s, or its peak PSS in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = 0
    while memory and child.poll() is None:
        peak = max(peak, tree_pss(child.pid))
        time.sleep(0.25)
    if child.wait():
        raise click.ClickException(f"{' '.join(command)} ended with {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall_s = time.monotonic() - began
    return {"pss_mb": peak / 1e6} if memory else {"wall_s": wall_s, "cpu_s": cpu_s}


def tree_pss(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


@click.command()
@click.option("--repeats", default=3, help="Pairs of runs. [3]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(repeats: int, output: str) -> None:
    """Compare 12 peers with a plain PyTorch loop."""
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in ("peers", *PLAIN)}
    with tempfile.TemporaryDirectory() as folder:
        npz = Path(folder) / "images.npz"
        images(npz)
        for i in range(repeats):
            loop = [sys.executable, str(HERE / "plain_loop.py")]
            ours = [sys.executable, str(HERE.parent / "launch.py"), str(HERE / "cost.toml")]
            ours += ["--dataset", str(npz), "--quiet"]
            for side, memory_format in PLAIN.items():
                command = [*loop, str(npz), memory_format]
                rows[side].append(measure(command, False) | measure(command, True))
            runs = [[*ours, "--run-dir", f"{folder}/{i}-{j}"] for j in range(2)]
            rows["peers"].append(measure(runs[0], False) | measure(runs[1], True))
    keys = ("cpu_s", "wall_s", "pss_mb")
    ratios = {
        side: {
            key: [a[key] / b[key] for a, b in zip(rows["peers"], rows[side], strict=True)]
            for key in keys
        }
        for side in PLAIN
    }
    hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if output == "json":
        print(json.dumps({"hardware": hardware, "n": repeats, "runs": rows, "ratios": ratios}))
        return
    print(f"{hardware}, n = {repeats}: median (min - max)")
    for side, runs in rows.items():
        print(f"{side:>24}", *(f"{key} {spread([r[key] for r in runs])}" for key in keys))
    for side, values in ratios.items():
        print(f"{'peers / ' + side:>24}", *(f"{k} {spread(v)}" for k, v in values.items()))


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} - {max(values):.2f})"


if __name__ == "__main__":
    main()
