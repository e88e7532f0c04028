"""Make the namespaces and what joins them: a bridge in one, a veth pair from it to each peer's.

Runs in a process of its own (`holder`), which changes namespaces as it goes and must have one
thread. All of it goes with the last descriptor of a namespace and the last process in it.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from prisam_p2p.netns.nft import Firewall
from prisam_p2p.netns.resetting import Resetter
from prisam_p2p.netns.shaping import Shaper, limit_port
from prisam_p2p.system.setns import CLONE_NEWNET, setns, unshare

PREFIX_LENGTH = 16
_BRIDGE, _OWN, _SCRATCH = "bridge", "eth0", "scratch"
_IPV4 = Path("/proc/sys/net/ipv4")
_IPV6 = Path("/proc/sys/net/ipv6/conf")


@dataclass(frozen=True)
class Wanted:
    """One peer's place in the network; rates in Mbit/s, None = no limit."""

    address: str
    up_mbit_s: float | None
    down_mbit_s: float | None


@dataclass(frozen=True)
class Place:
    """One peer's namespace, and what acts in it."""

    address: str
    net_fd: int
    firewall: Firewall
    resetter: Resetter
    shaper: Shaper


class Hub:
    """The namespace of the bridge, which is a new one and the caller's from now on.

    Raises:
        OSError, pyroute2.NetlinkError: the kernel refused.
    """

    def __init__(self) -> None:
        unshare(CLONE_NEWNET)
        self._fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._route = IPRoute()
        _without_ipv6()
        self._route.link("add", ifname=_BRIDGE, kind="bridge")
        (self._bridge,) = self._route.link_lookup(ifname=_BRIDGE)
        self._route.link("set", index=self._bridge, state="up")
        self.netem = self._has_netem()
        self.congestion = ""

    def join(self, index: int, wanted: Wanted, congestions: Sequence[str], peers: int) -> Place:
        """Make a peer's namespace and join it to the bridge; the caller is in it afterwards.

        `congestion` tells then which of `congestions` it has: the first that is allowed.

        Raises:
            OSError, pyroute2.NetlinkError: the kernel refused.
        """
        port_name = f"p{index}"
        unshare(CLONE_NEWNET)
        self.congestion = _settle(congestions)
        route = IPRoute()
        port = {"ifname": port_name, "net_ns_fd": self._fd}
        route.link("add", ifname=_OWN, kind="veth", peer=port)
        (own,) = route.link_lookup(ifname=_OWN)
        self._plug_in(port_name, wanted.down_mbit_s)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            switch_off_offloads(control, _OWN)
        route.addr("add", index=own, address=wanted.address, prefixlen=PREFIX_LENGTH)
        for interface in (1, own):  # 1 is lo
            route.link("set", index=interface, state="up")
        return Place(
            wanted.address,
            os.open("/proc/self/ns/net", os.O_RDONLY),
            Firewall(),
            Resetter(),
            Shaper(route.tc, own, wanted.up_mbit_s, peers, self.netem),
        )

    def _plug_in(self, port_name: str, down_mbit_s: float | None) -> None:
        (port,) = self._route.link_lookup(ifname=port_name)
        switch_off_offloads(self._control, port_name)
        self._route.link("set", index=port, master=self._bridge)
        self._route.link("set", index=port, state="up")  # in one call with `master` it stays down
        if down_mbit_s:
            limit_port(self._route.tc, port, down_mbit_s)

    def _has_netem(self) -> bool:
        self._route.link("add", ifname=_SCRATCH, kind="bridge")
        (scratch,) = self._route.link_lookup(ifname=_SCRATCH)
        try:
            self._route.tc("add", "netem", scratch, 1 << 16, delay=1000)
        except NetlinkError:
            return False
        finally:
            self._route.link("del", index=scratch)
        return True


def build(wanted: Sequence[Wanted], congestions: Sequence[str]) -> tuple[Hub, list[Place]]:
    """Make the network, every namespace with the first of `congestions` that is allowed.

    Raises:
        OSError, pyroute2.NetlinkError: the kernel refused.
    """
    hub = Hub()
    return hub, [hub.join(i, each, congestions, len(wanted)) for i, each in enumerate(wanted)]


def enter_place(place: Place) -> None:
    """Go back into a peer's namespace."""
    setns(place.net_fd, CLONE_NEWNET)


def _settle(congestions: Sequence[str]) -> str:
    """Set what this namespace's connections depend on; return its congestion control.

    A namespace may have only those of net.ipv4.tcp_allowed_congestion_control.

    Raises:
        OSError: none of these is allowed, or /proc/sys cannot be written.
    """
    _without_ipv6()
    (_IPV4 / "tcp_no_metrics_save").write_text("1")  # a connection starts as if it were the first
    for each in congestions:
        with suppress(PermissionError, FileNotFoundError):
            (_IPV4 / "tcp_congestion_control").write_text(each)
            return each
    raise OSError(f"none of these congestion controls is allowed here: {', '.join(congestions)}")


def _without_ipv6() -> None:
    for name in ("all", "default"):
        with suppress(FileNotFoundError):  # a kernel without it
            (_IPV6 / name / "disable_ipv6").write_text("1")


# Offloads let an interface carry packets larger than its MTU.
# Such packets would be counted, lost and delayed as one. Source: include/uapi/linux/ethtool.h.

_SIOCETHTOOL = 0x8946
_SET = {"tso": 0x1F, "gso": 0x24, "gro": 0x2C}  # ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO


def switch_off_offloads(control: socket.socket, interface: str) -> None:
    """Switch off TSO, GSO and GRO of `interface`, in the network namespace of `control`.

    Raises:
        OSError: the kernel refused.
    """
    for command in _SET.values():
        value = array.array("I", [command, 0])  # struct ethtool_value
        address, _ = value.buffer_info()
        request = struct.pack("16sP16x", interface.encode(), address)  # struct ifreq
        fcntl.ioctl(control, _SIOCETHTOOL, request)
