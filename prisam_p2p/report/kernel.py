"""What the kernels counted: the journals of TCP sockets, read back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from prisam_p2p.report.hosts import RunHosts
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
        cookie: the kernel's number of the socket; 0: journals of earlier releases have none.
        bytes_acked: bytes that the other end acknowledged, SYN and FIN included; unacked: bytes
            written and never acknowledged, FIN included. None: the run did not record them.
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
    cookie: int = 0
    bytes_acked: int | None = None
    unacked: int | None = None

    @property
    def stream(self) -> int:
        """Stream bytes that TCP counted as sent, less those it sent again.

        Local drops are in it (local_drops.py): what really left may be less.
        """
        return self.sent - self.retransmitted


@dataclass(frozen=True)
class KernelFigures:
    """Attributes.

    mtus: host -> MTU of the interface between its peers; beyond 1500, segments must be modelled.
    between_mtus: host -> MTU of its interface to the other hosts.
    sockets: (local, remote) -> sockets of these addresses, in the order of their ends.
    """

    mtus: dict[str, int]
    between_mtus: dict[str, int]
    sockets: dict[Pair, list[KernelSocket]]

    def mtu(self, one: str, other: str) -> int:
        """Return the MTU of a connection between two hosts, or within one."""
        if one == other:
            return self.mtus.get(one, ethernet.LOOPBACK_MTU)
        return min(self.between_mtus.get(host, ethernet.MTU) for host in (one, other))


def read_kernel(run: RunFolder, hosts: RunHosts) -> KernelFigures:
    """Return the final figures of all kernels; empty if they gave none.

    Figures of a socket before its end ("dump") are left out: they may lack the last bytes.
    """
    sockets: defaultdict[Pair, list[KernelSocket]] = defaultdict(list)
    mtus: dict[str, int] = {}
    between = {host: x.mtu for host, stays in hosts.stays.items() for x in stays if x.mtu}
    for line in run.kernel:
        if line["record"] == "watch":
            host = line.get("host", "")
            mtus[host] = line.get("mtu", ethernet.LOOPBACK_MTU)
            between |= {host: line["between_mtu"]} if line.get("between_mtu") else {}
        elif line["record"] == "socket" and line["source"] == DESTROYED:
            sockets[line["local"], line["remote"]].append(kernel_socket(line))
    return KernelFigures(mtus, between, dict(sockets))


def kernel_socket(line: Line) -> KernelSocket:
    """Return a `socket` record as figures."""
    names = KernelSocket.__dataclass_fields__
    return KernelSocket(**{name: line[name] for name in names if name in line})
