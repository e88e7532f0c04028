"""The share of a run's CPU time that goes into counting its bytes."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.launch.launch import launch
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.wire.messages import Kind

_CALLS = 20_000
_SIZES = (12, 20)


@dataclass(frozen=True)
class Metering:
    """CPU seconds over all processes of a run."""

    run_cpu_s: float
    counting_cpu_s: float
    writing_cpu_s: float
    kernel_watch_cpu_s: float

    @property
    def share(self) -> float:
        """Share of the run's CPU time."""
        parts = self.counting_cpu_s + self.writing_cpu_s + self.kernel_watch_cpu_s
        return parts / self.run_cpu_s


def metering(topology: Path, rounds: int) -> Metering:
    """Run `topology`; multiply its counts and lines by the CPU time of one count and one line."""
    with tempfile.TemporaryDirectory(prefix="prisam-bench-") as folder:
        run_dir = Path(folder) / "run"
        values = {"rounds": rounds, "baseline": "none"}
        launch(topology, values, run_dir, run_dir, "", True, lambda _folder: None)
        run = RunFolder(run_dir)
        traffic = [line for peer in run.peers for line in run.records(peer, "traffic")]
        finished = [run.last(peer, "finished") for peer in run.peers]
        *_, watch = run.kernel
    messages: dict[tuple[object, ...], int] = {}
    for i, line in enumerate(traffic):
        peer = i // (rounds + 1)
        messages |= {(peer, *row[:4]): row[4] for row in line["rows"]}
    return Metering(
        run_cpu_s=sum(line["cpu_s"] for line in finished if line),
        counting_cpu_s=sum(messages.values()) * _count_s(),
        writing_cpu_s=sum(map(_write_s, traffic)),
        kernel_watch_cpu_s=watch["cpu_s"],
    )


def _count_s() -> float:
    counter, began = TrafficCounter(), time.process_time()
    for _ in range(_CALLS):
        counter.add(0, "in", Kind.MASK, _SIZES)
    return (time.process_time() - began) / _CALLS


def _write_s(line: object) -> float:
    began = time.process_time()
    json.dumps(line)
    return time.process_time() - began
