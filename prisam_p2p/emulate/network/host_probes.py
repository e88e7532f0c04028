"""What this machine can do without namespaces, tried out; otherwise as `probes`."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from prisam_p2p.emulate import sock_diag

_SO_MAX_PACING_RATE = 47
_PACING_BYTES_S = 1_000_000


def destroyed_sockets() -> str:
    """The kernel's own byte counts of every connection, also of killed peers."""
    sock_diag.listen().close()
    return f"{len(list(sock_diag.dump()))} connections now"


def pacing() -> str:
    """A rate for a socket."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, _PACING_BYTES_S)
        if one.getsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE) != _PACING_BYTES_S:
            raise OSError("the kernel forgets SO_MAX_PACING_RATE")
    return ""


def memory_cgroup() -> str:
    """Memory limits by the kernel."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2" and "memory" in (Path(where) / "cgroup.controllers").read_text():
            return where
    raise OSError("no cgroup2 with the memory controller")


def tshark() -> str:
    """A witness of the wire that is not ours."""
    path = shutil.which("tshark")
    if path is None:
        raise OSError("not installed")
    return path


def cubic() -> str:
    """TCP's usual congestion control, allowed in namespaces."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
    if "cubic" not in allowed:
        raise OSError(f"allowed: {' '.join(allowed)}")
    return f"allowed: {' '.join(allowed)}"
