"""Measure what a summary takes by the number of records in the journals: CPU time and memory.

    python benchmarks/summary_growth.py [--peers 200] [--rounds 25 --rounds 100] [--repeats 3]

Run folders are generated, and each is summed up in a process of its own, as `prisam summary` does
it but for what is written and printed. Memory is that process's largest, less that of one which has
only imported.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from big_run import BigRun, write_big_run

ONE = """
import json, resource, sys, time
from pathlib import Path
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.slim_run import SlimRun
from prisam_p2p.report.summary import summarize
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, began = peak(), time.process_time()
run = SlimRun(Path(sys.argv[1]))
summarize(run, make_ledger(run, run.processes))
print(json.dumps({"s": time.process_time() - began, "MiB": peak() - before}))
"""


@click.command()
@click.option("--peers", multiple=True, type=int, default=(200,), help="[200]")
@click.option("--rounds", multiple=True, type=int, default=(25, 50, 100), help="[25, 50, 100]")
@click.option("--repeats", default=3, help="[3]")
def main(peers: tuple[int, ...], rounds: tuple[int, ...], repeats: int) -> None:
    """Print CPU time and memory of summaries."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; n = {repeats}")
    for n, at in ((n, at) for n in peers for at in rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = write_big_run(Path(name, "run"), BigRun(n, at))
            journals = [*(folder / "journal").iterdir()]
            n_bytes = sum(path.stat().st_size for path in journals)
            lines = sum(path.read_bytes().count(b"\n") for path in journals)
            found = [_measured(folder) for _ in range(repeats)]
        told = []
        for unit in ("s", "MiB"):
            values = [each[unit] for each in found]
            per = 1e6 * median(values) / lines if unit == "s" else 1024 * median(values) / lines
            told.append(
                f"{median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g}), "
                f"{per:.3g} {'us' if unit == 's' else 'KiB'} a record"
            )
        size = f"{lines:,} records, {n_bytes / 2**20:.0f} MiB"
        print(f"{n} peers, {at} rounds, {size}: {'; '.join(told)}")


def _measured(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-c", ONE, str(folder)]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(told))


if __name__ == "__main__":
    main()
