"""Measure the launcher's CPU time by the number of peers: for each start, and for each report.

    python benchmarks/launcher_growth.py [--peers 50 --peers 1000] [--repeats 3] [--format json]
    python benchmarks/launcher_growth.py --real --peers 50 --peers 500

The launcher's own code supervises synthetic peers: one process, forked before, holds the other
ends of all control lines. It answers orders as peers do, sends the same number of reports whatever
the number of peers, one at a time at a fixed rate, and a sample of each peer as often as the real
sampler takes one. CPU time is that of the launcher alone. With --real, the peers are processes that
train, and CPU time is that of `prisam launch` without its peers, from its start to its end.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.control.codec import decode_order, encode
from prisam_p2p.control.messages import (
    Exit,
    PeerDone,
    ProcessUp,
    Ready,
    Roster,
    RoundDone,
    RoundsBegun,
    StartRounds,
)
from prisam_p2p.control.spec import DataRows, DeviceSpec, Incarnation, PeerSpec
from prisam_p2p.faults.injector import Injector
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import LineDisplay
from prisam_p2p.launch.supervisor import Supervisor, Surroundings
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.processes.engine import ProcessExit, StartedProcess, Trouble
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.processes.sampling import Sample, period_s, sample_of
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.json_lines import JsonLines, LineSocket

PROGRAM = [sys.executable, str(Path(__file__).parents[1] / "launch.py")]
REPORTS = 5000
"""Of rounds, of all peers together."""

RATE = 500
"""Reports a second: some 10 of each of 50 peers, one every two seconds of each of 1,000."""

DEGREE = 8


# -- the other end: one process that plays all peers --------------------------------------------


class Peers:
    """Plays peers, from the orders that come over their lines.

    Args:
        line: over which each peer's end comes with its number, and exits and samples go.
        rounds: of each peer.
    """

    def __init__(self, line: socket.socket, n_peers: int, rounds: int) -> None:
        line.setblocking(False)
        self._launcher, self._rounds, self._n_peers = JsonLines(line), rounds, n_peers
        self._lines: dict[int, LineSocket] = {}
        self._progress: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(line, selectors.EVENT_READ, None)
        self._began, self._next_s, self._sent = 0, 0.0, 0

    def play(self) -> None:
        """Play until the launcher closes the line."""
        while True:
            wait_s = max(0.0, self._next_s - time.monotonic()) if self._is_running else 1.0
            for key, _ in self._selector.select(wait_s):
                if key.data is None:
                    if not self._hear_launcher():
                        return
                else:
                    self._hear_order(key.data)
            if self._is_running and time.monotonic() >= self._next_s:
                self._report()

    @property
    def _is_running(self) -> bool:
        return self._began == self._n_peers and self._sent < self._n_peers * (self._rounds + 1)

    def _hear_launcher(self) -> bool:
        messages = self._launcher.receive()
        if messages is None:
            return False
        for message in messages:
            if "start" in message:
                self._start(message["start"], self._launcher.descriptors.pop(0))
            else:
                self._sample()
        return True

    def _start(self, number: int, descriptor: int) -> None:
        end = socket.socket(fileno=descriptor)
        end.setblocking(False)
        self._lines[number] = LineSocket(end)
        self._progress[number] = 0
        self._selector.register(end, selectors.EVENT_READ, number)
        self._lines[number].send_line(encode(ProcessUp(20_000 + number)))

    def _hear_order(self, number: int) -> None:
        for line in self._lines[number].receive_lines() or ():
            match decode_order(line):
                case Roster():
                    self._lines[number].send_line(encode(Ready()))
                case StartRounds():
                    self._lines[number].send_line(encode(RoundsBegun(0)))
                    self._began += 1
                    self._next_s = time.monotonic() + 0.5
                case Exit():
                    self._selector.unregister(self._lines[number].line)
                    self._lines.pop(number).line.close()
                    self._launcher.send({"exit": number})

    def _report(self) -> None:
        """Send the next report: the peers' rounds in turn, and at last that each is done."""
        at, place = divmod(self._sent, self._n_peers)
        line, number = self._lines[place + 1], place + 1
        if at < self._rounds:
            accuracy = {"after_aggregation": 0.5}
            line.send_line(encode(RoundDone(at, accuracy, 10_000 * (at + 1))))
        else:
            line.send_line(encode(PeerDone("completed")))
        self._progress[number] += 1
        self._sent += 1
        self._next_s += 1 / RATE

    def _sample(self) -> None:
        """Send samples as sampling.py has them; each peer has got on."""
        rows = []
        for number in self._progress:
            self._progress[number] += 1
            rows.append([number, self._progress[number]])
        self._launcher.send({"samples": rows})


class SyntheticEngine:
    """Starts peers in the process of `Peers`: see processes.engine.Engine."""

    def __init__(self, n_peers: int, rounds: int) -> None:
        self._line, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()
            try:
                Peers(theirs, n_peers, rounds).play()
            finally:
                os._exit(0)
        theirs.close()
        self._line.setblocking(False)
        self._answers = JsonLines(self._line)
        self._started, self._exits = 0, list[ProcessExit]()
        self._samples: list[Sample] | None = None
        self._period_s, self._asked_s = period_s(n_peers), 0.0
        self.acts = LocalProcessActs(lambda number: None, lambda number, signum: None)
        self.on_wait: Callable[[], object] = lambda: None

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> StartedProcess:
        """See Engine."""
        ours, theirs = socket.socketpair()
        self._started += 1
        with theirs:
            while not self._answers.send_with({"start": self._started}, (theirs.fileno(),)):
                time.sleep(0.001)
        return StartedProcess(self._started, self._pid, LineSocket(ours))

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        self._hear()
        ended, self._exits = self._exits, []
        return ended

    def samples(self) -> list[Sample] | None:
        """See Engine."""
        self._hear()
        now_s = time.monotonic()
        if now_s - self._asked_s >= self._period_s:
            self._asked_s = now_s
            self._answers.send({"sample": True})
        found, self._samples = self._samples, None
        return found

    def trouble(self) -> Trouble | None:
        """See Engine."""
        return None

    def signal(self, number: int, signum: int) -> None:
        """See Engine."""

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine."""
        selector.register(self._line, selectors.EVENT_READ, None)

    def close(self) -> None:
        """See Engine."""
        self._line.close()
        os.waitpid(self._pid, 0)

    def _hear(self) -> None:
        self._answers.flush()
        while self._answers.waiting():
            for message in self._answers.receive() or ():
                if "exit" in message:
                    self._exits.append(ProcessExit(message["exit"], 0))
                else:
                    self._samples = [sample_of(row) for row in message["samples"]]


# -- the launcher's end ---------------------------------------------------------------------------


@dataclass
class Marks:
    """The launcher's CPU seconds when it began, when the rounds did, and when they were over."""

    began: float = 0.0
    ready: float = 0.0
    over: float = 0.0


class MarkingJournal(Journal):
    """Notes when the rounds begin."""

    marks: Marks

    def write(self, record: records.Record) -> None:
        """See Journal."""
        super().write(record)
        if isinstance(record, records.AllReady):
            self.marks.ready = time.process_time()


def specs_of(n_peers: int, rounds: int, folder: Path) -> list[PeerSpec]:
    """Return the specs of peers on a ring with chords, DEGREE neighbors each."""
    ids = [f"p{i:04d}" for i in range(n_peers)]
    device = DeviceSpec(
        **dict.fromkeys(("memory_mib", "up_mbit_s", "down_mbit_s")),
        **{"profile": "fast", "speed": 1.0, "threads": 1},
        **{"prune_ratio": 0.5, "least_prune_ratio": 0.5},
    )
    spec = PeerSpec(
        **{"peer_id": ids[0], "index": 0, "run_id": "00" * 8, "run_dir": folder, "epoch_s": 0.0},
        **{"address": "127.0.0.1", "neighbors": [], "settings": RunSettings(rounds=rounds)},
        **{"traits": Algorithm.PRISAM.traits, "n_classes": 10, "image_shape": (1, 8, 8)},
        **{"mean": (0.0,), "std": (1.0,), "similarity_ratio": 0.5, "clusters": 1},
        **{"device": device, "turns_fd": None, "cores": 1},
        data=DataRows(fd=0, n_images=1, train=[], validation=[], test=[]),
    )
    steps = range(1, DEGREE // 2 + 1)

    def neighbors(i: int) -> list[str]:
        return sorted(ids[(i + d) % n_peers] for s in steps for d in (s, -s))

    return [
        spec.model_copy(update={"peer_id": peer, "index": i, "neighbors": neighbors(i)})
        for i, peer in enumerate(ids)
    ]


def measure(n_peers: int) -> dict[str, float]:
    """Return the launcher's CPU time of one run of synthetic peers."""
    rounds, marks = REPORTS // n_peers, Marks()
    with tempfile.TemporaryDirectory() as name, silent():
        folder = Path(name)
        specs = specs_of(n_peers, rounds, folder)
        first = {spec.peer_id: Incarnation() for spec in specs}
        engine = SyntheticEngine(n_peers, rounds)
        network = Loopback([spec.peer_id for spec in specs], "00" * 8)
        with MarkingJournal(folder / "launcher.jsonl", 0.0) as journal, closing(network):
            journal.marks = marks
            processes = PeerProcesses(engine, specs, first, journal)
            injector = Injector(None, processes, journal.write, {})

            def over() -> None:
                marks.over = time.process_time()

            surroundings = Surroundings(journal, LineDisplay(), lambda: False, over, network)
            supervisor = Supervisor(processes, injector, surroundings, None, Past("00" * 8))
            marks.began = time.process_time()
            supervisor.run()
            states = supervisor.final_states().values()
    if {*states} != {"completed"} or len(states) != n_peers:
        raise click.ClickException(f"not all of {n_peers} synthetic peers completed")
    n_reports = n_peers * (rounds + 2)  # that the rounds begin, each round, and that it is done
    return {
        "start_ms": 1e3 * (marks.ready - marks.began) / n_peers,
        "report_us": 1e6 * (marks.over - marks.ready) / n_reports,
    }


@contextmanager
def silent() -> Iterator[None]:
    """Send what is written to stderr nowhere: the progress is drawn all the same."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        yield


# -- real peers -----------------------------------------------------------------------------------

TOPOLOGY = """
[peers]
count = {peers}
profiles = ["server-core"]
[links]
generator = "k-regular"
degree = 8
[run]
rounds = {rounds}
images_per_peer = 20
groups = 4
"""


def measure_real(n_peers: int, rounds: int) -> dict[str, float]:
    """Return the CPU time of the launcher of one run of real peers, and how long that took."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, f"net-{n_peers}.toml")
        path.write_text(TOPOLOGY.format(peers=n_peers, rounds=rounds))
        command = [*PROGRAM, str(path), "--quiet", "--force", "--run-dir", f"{name}/run"]
        child, times, began_s = psutil.Popen(command), None, time.monotonic()
        while child.poll() is None:
            times = _own(child) or times
            time.sleep(0.05)
        if child.returncode or times is None:
            raise click.ClickException(f"{' '.join(command)} ended with {child.returncode}")
        lines = Path(name, "run", "journal", "launcher.jsonl").read_text().splitlines()
        journal = [json.loads(line) for line in lines]
        ready = next(line for line in journal if line["record"] == "all_ready")
        wall_s = time.monotonic() - began_s
    n_reports = n_peers * (rounds + 4)
    return {"ready_s": ready["wall_s"], "wall_s": wall_s, "cpu_s": times, "reports": n_reports}


def _own(child: psutil.Popen) -> float | None:
    """Return the CPU seconds of a process without its children."""
    try:
        times = child.cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


@click.command()
@click.option("--peers", multiple=True, type=int, default=(50, 200, 1000), help="[50, 200, 1000]")
@click.option("--repeats", default=3, help="Of each number of peers. [3]")
@click.option("--real", is_flag=True, help="Peers that are processes and train.")
@click.option("--rounds", default=4, help="Of real peers. [4]")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
def main(peers: tuple[int, ...], repeats: int, real: bool, rounds: int, output: str) -> None:
    """Print the launcher's CPU time by the number of peers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
    rows: dict[int, list[dict[str, float]]] = {n: [] for n in peers}
    for _ in range(repeats):  # in turn: what disturbs the machine then disturbs all
        for n in peers:
            rows[n].append(measure_real(n, rounds) if real else measure(n))
    hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if output == "json":
        print(json.dumps({"hardware": hardware, "rows": rows}, indent=1))
        return
    print(f"{hardware}; n = {repeats}: median (least to most)")
    for n, found in rows.items():
        told = [f"{name} {_spread([each[name] for each in found])}" for name in found[0]]
        print(f"{n:>5} peers: {', '.join(told)}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
