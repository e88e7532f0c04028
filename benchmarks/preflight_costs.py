"""Hold what `prisam plan` foresees for each algorithm and option against a real run of it.

    python benchmarks/preflight_costs.py [--row prisam --row dac] [--repeats N] [--format json]

12 peers with all links, devices of four profiles, 6 rounds, 100 images for each peer. Each row is
launched as a user would. Memory, connections, run folder and time are of the same run, whose
process tree is sampled as in preflight.py, so the time includes what sampling takes of the cores.
Estimates are for a machine that does nothing else: the load (mean of 1 minute, at the run's end)
tells how far that was true.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from preflight import MIB, PROGRAM, closed, duration_s, folder_mib, foreseen, pss_mib, sample

HERE = Path(__file__).parent
TOPOLOGY = """
[peers]
count = 12
profiles = ["laptop", "raspberry-pi-5", "phone-midrange", "raspberry-pi-4"]
[links]
generator = "{links}"
[run]
rounds = 6
groups = 3
images_per_peer = 100
"""
ALGORITHMS = (
    *("prisam", "fedavg-random", "fedavg-ft", "d-psgd-ft", "fedrep", "ditto", "ifca", "facade"),
    *("dac", "pens", "exact-similarity"),
)
ROWS = {name: ("full", ["--algorithm", name]) for name in ALGORITHMS} | {
    "gamma-of-w0": ("full", ["--similarity-by", "gamma-of-w0", "--similarity-epochs", "4"]),
    "mask-hops": ("ring", ["--mask-hops", "6"]),
    "participation": ("full", ["--participation", "0.5"]),
}
"""Name of a row -> its links, and its options."""

COLUMNS = ("memory (PSS), MiB", "TCP connections", "run folder, MiB", "time, s")


@click.command()
@click.option("--row", "names", multiple=True, type=click.Choice([*ROWS]), help="[all]")
@click.option("--repeats", default=1, help="Runs of each row. [1]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(names: tuple[str, ...], repeats: int, output: str) -> None:
    """Print estimates beside measurements, as the table of docs/preflight.md."""
    about = {
        "hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "commit": commit(),
        "n": repeats,
    }
    if output == "json":
        rows = [compare(name, repeats) for name in names or ROWS]
        print(json.dumps({**about, "rows": rows}, indent=1))
        return
    print(f"{about['hardware']}, commit {about['commit']}, n = {repeats}\n")
    print(f"| estimate / measured | {' | '.join(COLUMNS)} | load |\n|{'---|' * (len(COLUMNS) + 2)}")
    for name in names or ROWS:
        print(as_markdown(compare(name, repeats)), flush=True)


def compare(name: str, repeats: int) -> dict[str, Any]:
    """Return a row: options, load, and of each column the estimate and what each run took."""
    links, options = ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{links}-12.toml")
        path.write_text(TOPOLOGY.format(links=links))
        run = foreseen([str(path), *options])
        runs, loads = [], []
        for i in range(repeats):
            runs.append(measured([str(path), *options], Path(folder, f"run-{i}")))
            loads.append(os.getloadavg()[0])
    counts, disk = run["counts"]["connections"], run["disk"]["run_folder"] / MIB
    estimates = (pss_mib(run), counts, disk, run["seconds"])
    return {
        "row": name,
        "links": links,
        "options": options,
        "load": sum(loads) / repeats,
        "columns": [
            {"what": what, "estimate": estimate, "measured": list(values)}
            for what, estimate, *values in zip(COLUMNS, estimates, *runs, strict=True)
        ],
    }


def measured(given: list[str], run_dir: Path) -> tuple[float, float, float, float]:
    """Launch; return what the run took, in the order of COLUMNS."""
    peak = sample([*PROGRAM, *given, "--quiet", "--run-dir", str(run_dir)])
    return peak["pss"] / MIB, closed(run_dir), folder_mib(run_dir), duration_s(run_dir)


def as_markdown(row: dict[str, Any]) -> str:
    """Return a row of the table; where there are several runs, the ratio is to their mean."""
    places = ("{:,.0f}", "{:,.0f}", "{:,.1f}", "{:,.1f}")
    cells = [
        cell(column["estimate"], column["measured"], place.format)
        for column, place in zip(row["columns"], places, strict=True)
    ]
    options = " ".join(row["options"]).removeprefix("--algorithm ")
    title = ("" if row["links"] == "full" else f"{row['links']}, ") + f"`{options}`"
    return f"| {title} | {' | '.join(cells)} | {row['load']:.0f} |"


def cell(estimate: float, values: list[float], written: Callable[[float], str]) -> str:
    """Return estimate / measured = ratio."""
    ratio = estimate / (sum(values) / len(values))
    return f"{written(estimate)} / {', '.join(map(written, values))} = {ratio:.2f}"


def commit() -> str:
    """Return the commit of this checkout, and whether files of it were changed since."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude", "*"]
    told = subprocess.run(command, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
