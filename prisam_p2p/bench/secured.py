"""The cost of encryption: the same pull over plain and secured connections, in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import psutil

from prisam_p2p.bench.pull import pull_once, two_peers
from prisam_p2p.transport.transport import Transport


@dataclass(frozen=True)
class SecuredPull:
    """Medians over the repeats: seconds of a pull, and CPU seconds of both processes in it."""

    n_bytes: int
    plain_s: float
    curve_s: float
    plain_cpu_s: float
    curve_cpu_s: float


def secured_pull(model: str, classes: int, repeats: int) -> SecuredPull:
    """Pull a dense model over plain connections and over secured ones."""
    with two_peers(model, classes) as plain, two_peers(model, classes, secured=True) as curve:
        n_bytes = pull_once(plain[0]).pull.n_bytes  # connects, and warms both sides
        pull_once(curve[0])
        figures = [[_timed(*pair) for pair in (plain, curve)] for _ in range(repeats)]
    plain_s, curve_s = (statistics.median(f[i][0] for f in figures) for i in (0, 1))
    plain_cpu_s, curve_cpu_s = (statistics.median(f[i][1] for f in figures) for i in (0, 1))
    return SecuredPull(n_bytes, plain_s, curve_s, plain_cpu_s, curve_cpu_s)


def _timed(requester: Transport, donor: int) -> tuple[float, float]:
    before = _cpu_s(donor)
    wall_s = pull_once(requester).wall_s
    return float(wall_s), _cpu_s(donor) - before


def _cpu_s(donor: int) -> float:
    there = psutil.Process(donor).cpu_times()
    return float(time.process_time() + there.user + there.system)
