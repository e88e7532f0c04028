"""Make a bridge in one network namespace, and join a namespace per peer to it by a veth pair.

This runs in a process of its own (holder.py), which enters one namespace after the other and so
must have one thread. The kernel removes a namespace with its last descriptor and last process.
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

from prisam_p2p.netns.interface import Tunnel
from prisam_p2p.netns.nft import Firewall
from prisam_p2p.netns.resetting import Resetter
from prisam_p2p.netns.shaping import Shaper, limit_port
from prisam_p2p.system.setns import CLONE_NEWNET, setns, unshare
from prisam_p2p.wire import ethernet

PREFIX_LENGTH = 16
_BRIDGE, _OWN, _SCRATCH, _TUNNEL = "bridge", "eth0", "scratch", "tunnel"
_ALL_STATIONS = "00:00:00:00:00:00"
VXLAN_PORT = 4789
"""The UDP port of VXLAN (RFC 7348), which hosts must let through to each other."""
_IPV4 = Path("/proc/sys/net/ipv4")
_IPV6 = Path("/proc/sys/net/ipv6/conf")


@dataclass(frozen=True)
class Endpoint:
    """One peer's address in the network, and its rates in Mbit/s; None = no limit.

    Attributes:
        index: the peer's place among all peers of the network.
    """

    index: int
    address: str
    up_mbit_s: float | None
    down_mbit_s: float | None


@dataclass(frozen=True)
class PeerNamespace:
    """One peer's network namespace, and handles that act in it."""

    address: str
    net_fd: int
    firewall: Firewall
    resetter: Resetter
    shaper: Shaper


class Bridge:
    """A bridge in a namespace of its own, which the constructor makes and enters.

    Args:
        tunnel: to the bridges of other hosts; None = all peers are here.

    Attributes:
        netem: whether the kernel has it.
        congestion: the congestion control of the namespaces joined so far.

    Raises:
        OSError, pyroute2.NetlinkError: the kernel refused.
    """

    def __init__(self, tunnel: Tunnel | None = None) -> None:
        outside = IPRoute() if tunnel else None
        unshare(CLONE_NEWNET)
        self._fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._route = IPRoute()
        _disable_ipv6()
        self._route.link("add", ifname=_BRIDGE, kind="bridge")
        (self._bridge,) = self._route.link_lookup(ifname=_BRIDGE)
        self._route.link("set", index=self._bridge, state="up")
        self._mtu = ethernet.TUNNEL_MTU if tunnel else ethernet.MTU
        if tunnel and outside:
            self._dig(tunnel, outside)
        self.netem = self._has_netem()
        self.congestion = ""

    def join(self, endpoint: Endpoint, congestions: Sequence[str], n_peers: int) -> PeerNamespace:
        """Make a peer's namespace, enter it and join it to the bridge.

        Args:
            congestions: names of congestion controls; the first that is allowed is used.
            n_peers: of the whole network.

        Raises:
            OSError, pyroute2.NetlinkError: the kernel refused.
        """
        port_name = f"p{endpoint.index}"
        unshare(CLONE_NEWNET)
        self.congestion = _configure_tcp(congestions)
        route = IPRoute()
        port = {"ifname": port_name, "net_ns_fd": self._fd, "mtu": self._mtu}
        route.link("add", ifname=_OWN, kind="veth", mtu=self._mtu, peer=port)
        (own,) = route.link_lookup(ifname=_OWN)
        self._plug_in(port_name, endpoint.down_mbit_s)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            switch_off_offloads(control, _OWN)
        route.addr("add", index=own, address=endpoint.address, prefixlen=PREFIX_LENGTH)
        for interface in (1, own):  # 1 is lo
            route.link("set", index=interface, state="up")
        return PeerNamespace(
            endpoint.address,
            os.open("/proc/self/ns/net", os.O_RDONLY),
            Firewall(),
            Resetter(),
            Shaper(route.tc, own, endpoint.up_mbit_s, n_peers, self.netem),
        )

    def _plug_in(self, port_name: str, down_mbit_s: float | None) -> None:
        (port,) = self._route.link_lookup(ifname=port_name)
        switch_off_offloads(self._control, port_name)
        self._route.link("set", index=port, master=self._bridge)
        self._route.link("set", index=port, state="up")  # in the same call as `master`, no effect
        if down_mbit_s:
            limit_port(self._route.tc, port, down_mbit_s)

    def _dig(self, tunnel: Tunnel, outside: IPRoute) -> None:
        """Make a port of the bridge that leads to the other hosts.

        Its packets leave by the namespace of `outside`, in which it is made. Where the other peers
        are is learned from what they send; until then a packet goes to all hosts.
        """
        outside.link(
            "add",
            ifname=_TUNNEL,
            kind="vxlan",
            vxlan_id=tunnel.number,
            vxlan_local=tunnel.local,
            vxlan_port=VXLAN_PORT,
            vxlan_learning=True,
            mtu=self._mtu,
            net_ns_fd=self._fd,
        )
        outside.close()
        (port,) = self._route.link_lookup(ifname=_TUNNEL)
        switch_off_offloads(self._control, _TUNNEL)
        self._route.link("set", index=port, master=self._bridge)
        self._route.link("set", index=port, state="up")
        for remote in tunnel.remotes:
            self._route.fdb("append", ifindex=port, lladdr=_ALL_STATIONS, dst=remote)

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


def build(
    endpoints: Sequence[Endpoint],
    congestions: Sequence[str],
    n_peers: int,
    tunnel: Tunnel | None = None,
) -> tuple[Bridge, list[PeerNamespace]]:
    """Make this host's part of the network: a bridge, and a namespace per endpoint, in order.

    Args:
        n_peers: of the whole network.
        tunnel: to the bridges of other hosts; None = all peers are here.
        congestions: names of congestion controls; every namespace uses the first that is allowed.

    Raises:
        OSError, pyroute2.NetlinkError: the kernel refused.
    """
    bridge = Bridge(tunnel)
    return bridge, [bridge.join(each, congestions, n_peers) for each in endpoints]


def enter_namespace(namespace: PeerNamespace) -> None:
    """Enter a peer's network namespace.

    Raises:
        OSError: the kernel refused.
    """
    setns(namespace.net_fd, CLONE_NEWNET)


def _configure_tcp(congestions: Sequence[str]) -> str:
    """Configure TCP in this namespace; return the congestion control that it uses.

    A namespace may use those of net.ipv4.tcp_allowed_congestion_control only.

    Raises:
        OSError: none of these is allowed, or /proc/sys cannot be written.
    """
    _disable_ipv6()
    (_IPV4 / "tcp_no_metrics_save").write_text("1")  # connections learn nothing from earlier ones
    for each in congestions:
        with suppress(PermissionError, FileNotFoundError):
            (_IPV4 / "tcp_congestion_control").write_text(each)
            return each
    raise OSError(
        f"net.ipv4.tcp_allowed_congestion_control allows none of {', '.join(congestions)}"
    )


def _disable_ipv6() -> None:
    for name in ("all", "default"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            (_IPV6 / name / "disable_ipv6").write_text("1")


# With offloads, an interface carries packets larger than its MTU, and each of them would be
# counted, lost and delayed as a single packet. Source: include/uapi/linux/ethtool.h.

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
