"""Probes of kernel features: each function tries one, and returns a detail, "" without one.

A probe raises where the feature does not work here. Call it in a child (system/isolated.py) of a
process with one thread, because it enters namespaces.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

from prisam_p2p.system import sock_diag
from prisam_p2p.system.setns import CLONE_NEWNET, unshare, unshare_user

_LOCALHOST = "127.0.0.1"


def user_namespaces() -> str:
    """Make a user namespace with a network namespace in it."""
    unshare_user()
    unshare(CLONE_NEWNET)
    return ""


def network_namespaces() -> str:
    """Make a network namespace, by this user's rights or in a user namespace."""
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        return f"in a user namespace{user_namespaces()}"
    return "with this user's own rights"


def veth() -> str:
    """Make a pair of interfaces."""
    _link("veth", peer={"ifname": "b"})
    return ""


def bridge() -> str:
    """Make a bridge."""
    _link("bridge")
    return ""


def tbf() -> str:
    """Limit the rate of an interface."""
    _queue("tbf", rate="1mbit", burst=3000, limit=30_000)
    return ""


def htb() -> str:
    """Limit the rate by receiver."""
    from prisam_p2p.netns.shaping import Shaper
    from prisam_p2p.plan.link_properties import LinkState

    route, index = _link("bridge")
    Shaper(route.tc, index, None, 2, netem=False).set(0, "10.0.0.1", LinkState(rate_mbit_s=1))
    return "with u32"


def netem() -> str:
    """Delay packets in the kernel."""
    _queue("netem", delay=1000)
    return ""


def nftables() -> str:
    """Use random loss, cuts, rejects and counters at a receiver's input."""
    from prisam_p2p.netns import nft

    network_namespaces()
    source = nft.from_address(_LOCALHOST)
    dropped = source + nft.by_chance(0.5) + nft.count("a") + nft.drop()
    firewall = nft.Firewall()
    firewall.replace(["a"], [dropped, source + nft.tcp() + nft.reject()])
    return f"{len(firewall.packets())} counter"


def nfqueue() -> str:
    """Delay packets in a process of ours."""
    from prisam_p2p.netns.link_controller import queue_rule
    from prisam_p2p.netns.nfqueue import open_queues
    from prisam_p2p.netns.nft import Firewall

    network_namespaces()
    rule = queue_rule(Firewall())
    if rule is None:
        raise OSError("nftables has no rule that hands packets to a queue")
    open_queues([0]).close()
    return f"by {rule.__name__}"


def sock_destroy() -> str:
    """Reset a live connection."""
    from prisam_p2p.netns.resetting import Resetter

    namespace_with_loopback()
    with socket.create_server((_LOCALHOST, 0)) as server:
        one = socket.create_connection(server.getsockname(), 1)
        if not Resetter().destroy(_LOCALHOST):
            raise OSError("sock_diag did not list the connection to destroy")
        try:
            one.recv(1)
        except ConnectionError:
            return ""
    raise OSError("the connection was not reset")


def _link(kind: str, **more: object) -> tuple[Any, int]:
    """Make an interface in a new namespace; return pyroute2's socket and the interface's index."""
    from pyroute2 import IPRoute

    network_namespaces()
    route = IPRoute()
    route.link("add", ifname="a", kind=kind, **more)
    (index,) = route.link_lookup(ifname="a")
    return route, index


def _queue(kind: str, **more: object) -> None:
    route, index = _link("bridge")
    route.tc("add", kind, index, 1 << 16, **more)


def namespace_with_loopback() -> None:
    """Enter a new network namespace whose loopback interface is up."""
    from pyroute2 import IPRoute

    network_namespaces()
    IPRoute().link("set", index=1, state="up")


# -- without namespaces ----------------------------------------------------------------

_SO_MAX_PACING_RATE = 47
_PACING_BYTES_S = 1_000_000


def destroyed_sockets() -> str:
    """Read the kernel's byte counts of connections, those of killed peers included."""
    sock_diag.listen().close()
    return f"{len(list(sock_diag.dump()))} connections now"


def pacing() -> str:
    """Limit the rate of a socket."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, _PACING_BYTES_S)
        if one.getsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE) != _PACING_BYTES_S:
            raise OSError("the kernel ignores SO_MAX_PACING_RATE")
    return ""


def memory_cgroup() -> str:
    """Find a cgroup in which the kernel can limit memory."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2" and "memory" in (Path(where) / "cgroup.controllers").read_text():
            return where
    raise OSError("no cgroup2 file system with the memory controller is mounted")


def tshark() -> str:
    """Find tshark, which counts bytes on the wire independently."""
    path = shutil.which("tshark")
    if path is None:
        raise OSError("not installed")
    return path


def cubic() -> str:
    """Check that namespaces may use TCP's usual congestion control."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
    if "cubic" not in allowed:
        raise OSError(f"allowed: {' '.join(allowed)}")
    return f"allowed: {' '.join(allowed)}"
