"""Check the ledger against an independent capture of the same run by tshark.

    python benchmarks/witness.py [--rounds N] [--format json]

This runs 4 peers while tshark (Debian's package) captures their loopback addresses. For each
directed pair of addresses, the range of each TCP stream's sequence numbers gives the bytes that
were sent, without retransmissions; they must equal the ledger's stream bytes of that link. Exit
code 0: equal to the byte; 1: different; 2: tshark is missing or may not capture here.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder

LAUNCH = Path(__file__).parent.parent / "launch.py"
TIMEOUT_S = 20.0
CANNOT = 2
TOPOLOGY = """\
[peers]
count = 4
profiles = ["server-core"]

[links]
generator = "full"

[run]
groups = 2
images_per_peer = 20
"""

Link = tuple[str, str]


class CannotCapture(Exception):
    """tshark is not installed, may not capture, or has lost packets."""


@contextmanager
def capturing(path: Path) -> Iterator[None]:
    """Capture the headers of all loopback TCP segments into `path` while the block runs."""
    if shutil.which("tshark") is None:
        raise CannotCapture("tshark is not installed")
    command = ["tshark", "-q", "-i", "lo", "-s", "128", "-B", "256", "-w", str(path)]
    child = subprocess.Popen(
        [*command, "-f", "tcp and src net 127.0.0.0/8"], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until_seen(path, child)
        yield
        wait_until_seen(path, child)
    finally:
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=TIMEOUT_S)
    if " dropped" in errors and " 0 dropped" not in errors:
        raise CannotCapture(f"tshark lost packets: {errors.strip().splitlines()[-1]}")


def wait_until_seen(path: Path, child: subprocess.Popen[str]) -> None:
    """Send bytes over loopback until they appear in the capture."""
    before = path.stat().st_size if path.exists() else 0
    deadline = time.monotonic() + TIMEOUT_S
    with socket.create_server(("127.0.0.1", 0)) as server:
        while not path.exists() or path.stat().st_size <= before:
            if child.poll() is not None or time.monotonic() > deadline:
                raise CannotCapture("tshark may not capture on lo")
            with socket.create_connection(server.getsockname(), timeout=1) as sender:
                sender.sendall(b"seen?")
                server.accept()[0].close()


def streams_by_tshark(path: Path) -> dict[Link, int]:
    """Return (sender address, receiver address) -> stream bytes over all connections."""
    fields = ("tcp.stream", "ip.src", "ip.dst", "tcp.seq", "tcp.len")
    command = ["tshark", "-r", str(path), "-Y", "tcp.len > 0", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ends: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for line in printed.splitlines():
        stream, source, to, sequence, length = line.split("\t")
        # tshark prints relative numbers: the SYN is 0 and the first byte 1.
        key = stream, source, to
        ends[key] = max(ends[key], int(sequence) + int(length) - 1)
    totals: defaultdict[Link, int] = defaultdict(int)
    for (_, source, to), n_bytes in ends.items():
        totals[source, to] += n_bytes
    return dict(totals)


def streams_by_ledger(run: RunFolder) -> dict[Link, int]:
    """Return (sender address, receiver address) -> stream bytes of the run's ledger."""
    addresses = {}
    for peer in run.peers:
        started = run.last(peer, "started")
        assert started is not None
        addresses[peer] = started["address"]
    totals: defaultdict[Link, int] = defaultdict(int)
    for row in make_ledger(run).rows:
        totals[addresses[row.sender], addresses[row.receiver]] += row.stream
    return dict(totals)


@click.command()
@click.option("--rounds", default=3, help="Rounds of the run. [3]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(rounds: int, output: str) -> None:
    """Compare the ledger's stream bytes with those that tshark saw."""
    with tempfile.TemporaryDirectory() as name:
        folder, topology = Path(name), Path(name) / "four.toml"
        topology.write_text(TOPOLOGY)
        launch = [sys.executable, str(LAUNCH), str(topology), "--quiet"]
        try:
            with capturing(folder / "lo.pcapng"):
                options = ["--rounds", str(rounds), "--run-dir", str(folder / "run")]
                subprocess.run([*launch, *options], check=True)
        except CannotCapture as error:
            click.echo(f"cannot capture: {error}", err=True)
            sys.exit(CANNOT)
        seen = streams_by_tshark(folder / "lo.pcapng")
        recorded = streams_by_ledger(RunFolder(folder / "run"))
    links = [
        {"from": a, "to": b, "ledger": n, "tshark": seen.get((a, b), 0)}
        for (a, b), n in sorted(recorded.items())
    ]
    different = [link for link in links if link["ledger"] != link["tshark"]]
    if output == "json":
        click.echo(json.dumps({"links": links, "different": different}))
    else:
        for link in links:
            counts = f"ledger {link['ledger']:,} B, tshark {link['tshark']:,} B"
            click.echo(f"{link['from']} -> {link['to']}: {counts}")
        click.echo("different" if different else f"equal on {len(links)} links, to the byte")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
