"""What an agent finds on its host, for its first report."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from prisam_p2p.hosts.messages import AgentUp
from prisam_p2p.system import sock_diag
from prisam_p2p.wire import ethernet

_PACKAGES = ("prisam-p2p", "torch", "numpy", "pyzmq")
"""Asked about without importing them."""
_MIB = 2**20


def agent_up(host: str, launcher: tuple[str, int], gpus: Sequence[str]) -> AgentUp:
    """Describe this host.

    Args:
        launcher: address and port of its line.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return AgentUp(
        host=host,
        node=socket.gethostname(),
        pid=os.getpid(),
        cores=cores or 1,
        memory_mib=psutil.virtual_memory().total // _MIB,
        gpus=tuple(gpus),
        mtu=mtu_towards(launcher),
        kernel=why_kernel_is_silent(),
        facts=_facts(),
    )


def mtu_of(address: str) -> int:
    """Return the MTU of the interface that has this address; loopback's where none has.

    All of 127.0.0.0/8 is loopback's, which has one of them by name.
    """
    for interface, addresses in psutil.net_if_addrs().items():
        if address in (each.address for each in addresses):
            return int(psutil.net_if_stats()[interface].mtu)
    return ethernet.LOOPBACK_MTU


def mtu_towards(to: tuple[str, int]) -> int:
    """Return the MTU of the interface that leads to an address of another host, or that has it.

    Nothing is sent: a UDP socket is connected, which only finds the route.
    """
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as way:
        way.connect(to)
        return mtu_of(way.getsockname()[0])
    return ethernet.LOOPBACK_MTU


def why_kernel_is_silent() -> str:
    """Return why the kernel does not report sockets' figures, "" if it does."""
    try:
        sock_diag.listen().close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _facts() -> dict[str, str]:
    facts = {"system": platform.platform(), "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    with suppress(OSError):
        facts["boot_id"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return facts
