"""Hold what `prisam plan` foresees against real runs of 12, 60 and 200 peers.

    python benchmarks/preflight.py [--peers 12 --peers 60] [--repeats N] [--format json]

Each network is launched as a user would. The launcher's process tree is sampled every 0.2 s: the
sums of PSS, descriptors and threads, of which the largest count. TCP connections are those
of the run's own closure. Time is measured in separate runs, because sampling takes much of a core.
preflight_costs.py does this for algorithms and options.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import psutil

HERE = Path(__file__).parent
PROGRAM = [sys.executable, str(HERE.parent / "launch.py")]
PLAN = [sys.executable, "-c", "from prisam_p2p.cli import main; main()", "plan"]
LINKS = {12: 'generator = "full"', 60: 'generator = "full"'}
K_REGULAR = 'generator = "k-regular"\ndegree = 8'
TOPOLOGY = """
[peers]
count = {peers}
profiles = ["laptop", "raspberry-pi-5", "phone-midrange", "raspberry-pi-4"]
[links]
{links}
[run]
rounds = 4
groups = {groups}
images_per_peer = 40
"""
MIB = 2**20


@click.command()
@click.option("--peers", multiple=True, type=int, default=(12, 60, 200), help="[12, 60, 200]")
@click.option("--repeats", default=2, help="Runs for the time. [2]")
@click.option("--option", multiple=True, help="Passed to plan and launch: --option=--width=2.")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(peers: tuple[int, ...], repeats: int, option: tuple[str, ...], output: str) -> None:
    """Print estimates beside measurements."""
    rows = [row for n in peers for row in compare(n, repeats, option)]
    hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if output == "json":
        print(json.dumps({"hardware": hardware, "rows": rows}, indent=1))
        return
    print(f"{hardware}; time: {repeats} runs, the others: one")
    for row in rows:
        measured = ", ".join(f"{x:,.1f}" for x in row["measured"])
        ratio = row["estimate"] / (sum(row["measured"]) / len(row["measured"]))
        name = f"{row['peers']:>5} peers  {row['what']:<24}"
        print(f"{name} estimate {row['estimate']:>10,.1f}  measured {measured:>12}  {ratio:.2f}")


def compare(n: int, repeats: int, options: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each amount: estimate, and what runs of `n` peers took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"net-{n}.toml")
        groups = 3 if n < 100 else 4
        path.write_text(TOPOLOGY.format(peers=n, links=LINKS.get(n, K_REGULAR), groups=groups))
        given = [str(path), *options]
        run = foreseen(given)
        sampled = sample([*PROGRAM, *given, "--quiet", "--run-dir", f"{folder}/sampled"])
        times = [timed([*PROGRAM, *given], Path(folder, f"run-{i}")) for i in range(repeats)]
        written, connections = folder_mib(Path(folder, "run-0")), closed(Path(folder, "run-0"))
    counts = run["counts"]
    compared: list[tuple[str, float, list[float]]] = [
        ("memory (PSS), MiB", pss_mib(run), [sampled["pss"] / MIB]),
        ("TCP connections", counts["connections"], [connections]),
        ("descriptors in all", counts["host_files"], [sampled["files"]]),
        ("descriptors of one peer", counts["peer_files"], [sampled["peer_files"]]),
        ("descriptors of launcher", counts["launcher_files"], [sampled["launcher_files"]]),
        ("threads", counts["threads"], [sampled["threads"]]),
        ("run folder, MiB", run["disk"]["run_folder"] / MIB, [written]),
        ("time, s", run["seconds"], times),
    ]
    return [{"peers": n, "what": w, "estimate": e, "measured": m} for w, e, m in compared]


def foreseen(given: list[str]) -> dict[str, Any]:
    """Return what `prisam plan` foresees for a topology and options."""
    command = [*PLAN, *given, "--format", "json"]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(told)["runs"][0])


def pss_mib(run: dict[str, Any]) -> float:
    """Return the foreseen memory of all processes; the kernel's part belongs to none of them."""
    return float(run["memory"]["total"] - run["memory"]["kernel"]) / MIB


def timed(command: list[str], run_dir: Path) -> float:
    """Run; return the seconds that it took."""
    subprocess.run([*command, "--quiet", "--run-dir", str(run_dir)], check=True)
    return duration_s(run_dir)


def duration_s(run_dir: Path) -> float:
    """Return the seconds from a run's beginning to its end, by its journal."""
    last = (run_dir / "journal" / "launcher.jsonl").read_text().splitlines()[-1]
    return float(json.loads(last)["duration_s"])


def folder_mib(run_dir: Path) -> float:
    """Return the size of all files of a run."""
    return sum(file.stat().st_size for file in run_dir.rglob("*") if file.is_file()) / MIB


def closed(run_dir: Path) -> int:
    """Return the number of TCP connections in a run's closure."""
    return int(json.loads((run_dir / "summary.json").read_text())["closure"]["connections"])


def sample(command: list[str]) -> Counter[str]:
    """Run; return the largest sums over the process tree while it ran."""
    child, peak = psutil.Popen(command), Counter[str]()
    while child.poll() is None:
        with suppress(psutil.Error):
            tree = [child, *child.children(recursive=True)]
            peak |= look(tree)  # the larger value of each
        time.sleep(0.2)
    if child.wait():
        raise click.ClickException(f"{' '.join(command)} ended with {child.returncode}")
    return peak


def look(tree: list[psutil.Process]) -> Counter[str]:
    """Return the sums over some processes, and the most of one."""
    now = Counter[str]()
    for place, process in enumerate(tree):
        with suppress(psutil.Error, OSError):
            pss, files = process.memory_full_info().pss, process.num_fds()
            kind = "launcher_files" if place == 0 else "peer_files"
            now[kind] = max(now[kind], files)
            now.update(pss=pss, files=files, threads=process.num_threads())
    return now


if __name__ == "__main__":
    main()
