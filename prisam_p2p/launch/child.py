"""What the launcher knows of one peer's process."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

import psutil

from prisam_p2p.control.codec import encode
from prisam_p2p.control.messages import Order, PeerDone
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.measure import records
from prisam_p2p.system.json_lines import LineSocket

_LAST_LINES = 15
_PSS_OF = 4


@dataclass
class Child:
    """A peer's latest process.

    Attributes:
        before: the process that it follows.
        settled: whether its connections are as they should be at the end; None = not known yet.
    """

    spec: PeerSpec
    pid: int
    lines: LineSocket
    port: int | None = None
    ready: bool = False
    rounds_done: int = 0
    accuracy: dict[str, float] = field(default_factory=dict)
    n_bytes: int = 0
    result: PeerDone | None = None
    exit_code: int | None = None
    before: Child | None = None
    settled: bool | None = None

    @property
    def all_bytes(self) -> int:
        """What this peer's processes have sent together."""
        return self.n_bytes + (self.before.all_bytes if self.before else 0)

    @property
    def last_accuracy(self) -> float | None:
        """The latest accuracy that this peer told, None before the first."""
        if self.accuracy:
            return list(self.accuracy.values())[-1]
        return self.before.last_accuracy if self.before else None

    @property
    def last_rounds_done(self) -> int:
        """The rounds behind it: those of the process before, until this one has told its own."""
        return self.rounds_done or (self.before.last_rounds_done if self.before else 0)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where its ROUTER is, or will be: a later process binds what its neighbors know."""
        return self.spec.address, self.port or self.spec.port

    @property
    def done(self) -> bool:
        """Whether it has run all its rounds, or never will, and serves the others yet."""
        return self.result is not None and self.result.state != "stopped"

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    def send(self, order: Order) -> None:
        """Send an order now, or once the process takes it: it may be stopped."""
        self.lines.send_line(encode(order))

    def fate(self) -> str:
        """Return the peer's final state."""
        if self.result:
            return self.result.state
        return "killed by the launcher" if self.exit_code is None else f"died with {self.exit_code}"

    def last_lines(self) -> list[str]:
        """Return the last of what it printed."""
        try:
            return self.spec.log_path.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            return []


def start_cost(children: Collection[Child], began_s: float) -> records.AllReady:
    """Measure what starting them took since `began_s` of the monotonic clock."""
    processes = [psutil.Process(c.pid) for c in children]
    cpu_s = sum(sum(p.cpu_times()[:2]) for p in processes)
    # The kernel walks all pages of a process to tell its PSS: a few stand for all.
    pss = [getattr(p.memory_full_info(), "pss", None) for p in processes[:_PSS_OF]]
    pss_mib = sum(x for x in pss if x) / len(pss) / 2**20 if all(pss) else None
    return records.AllReady(
        wall_s=round(time.monotonic() - began_s, 3),
        cpu_s_per_peer=round(cpu_s / len(children), 4),
        pss_mib_per_peer=round(pss_mib, 2) if pss_mib else None,
    )
