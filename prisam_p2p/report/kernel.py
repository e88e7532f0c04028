"""What the kernel counted: the launcher's journal of TCP sockets, read back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from prisam_p2p.report.run_folder import Line, RunFolder
from prisam_p2p.wire import ethernet

DESTROYED = "destroyed"

Pair = tuple[str, str]


@dataclass(frozen=True)
class KernelSocket:
    """The final figures of one TCP socket, in bytes and segments.

    Attributes:
        t_s: when they were written: at, or soon after, its end.
        local, remote: host:port.
        sent: stream bytes, those sent again included; retransmitted: those sent again.
        received: stream bytes received, 1 more after the other end's FIN.
    """

    t_s: float
    local: str
    remote: str
    sent: int
    retransmitted: int
    received: int
    segs_out: int
    segs_in: int
    data_segs_out: int
    data_segs_in: int

    @property
    def stream(self) -> int:
        """Stream bytes that went out, each counted once."""
        return self.sent - self.retransmitted


@dataclass(frozen=True)
class KernelFigures:
    """Attributes.

    available: whether the kernel reported at all.
    mtu: of the interface between the peers; beyond 1500, segments must be modelled.
    sockets: (local, remote) -> sockets of these addresses, in the order of their ends.
    """

    available: bool
    mtu: int
    sockets: dict[Pair, list[KernelSocket]]


def read_kernel(run: RunFolder) -> KernelFigures:
    """Return the kernel's final figures; empty if it gave none.

    Figures of a socket before its end ("dump") are left out: they may lack the last bytes.
    """
    sockets: defaultdict[Pair, list[KernelSocket]] = defaultdict(list)
    watch: Line = {"available": False}
    for line in run.kernel:
        if line["record"] == "watch":
            watch = line
        elif line["record"] == "socket" and line["source"] == DESTROYED:
            sockets[line["local"], line["remote"]].append(kernel_socket(line))
    return KernelFigures(
        watch["available"] or bool(sockets), watch.get("mtu", ethernet.LOOPBACK_MTU), dict(sockets)
    )


def kernel_socket(line: Line) -> KernelSocket:
    """Return a `socket` record as figures."""
    return KernelSocket(**{name: line[name] for name in KernelSocket.__dataclass_fields__})
