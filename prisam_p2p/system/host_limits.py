"""What this machine still grants to the processes of a run: descriptors, threads, memory, disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from prisam_p2p.system import cgroups

_PROC = Path("/proc")
_MOST_BRIDGE_PORTS = 1023
"""Of a Linux bridge (BR_PORT_BITS of net/bridge/br_private.h)."""


@dataclass(frozen=True)
class Allowance:
    """How much there is of something, and what limits it, in words."""

    amount: int
    limit: str


@dataclass(frozen=True)
class HostLimits:
    """What is granted now; None = no limit is known.

    Attributes:
        process_files: descriptors of one process, once the launcher has raised its limit.
        soft_files: before it does.
        host_files: descriptors of all processes.
        threads: threads of all processes, beside those that are there.
        memory: bytes that can be taken without swapping.
        run_folder, temporary: bytes free on the disks of the run folder and of temporary files.
        temporary_is_memory: temporary files are in memory (tmpfs).
        ports: of one address, for connections that it opens.
        namespaces: network namespaces.
    """

    process_files: Allowance | None = None
    soft_files: int | None = None
    host_files: Allowance | None = None
    threads: Allowance | None = None
    memory: Allowance | None = None
    run_folder: Allowance | None = None
    temporary: Allowance | None = None
    temporary_is_memory: bool = False
    ports: Allowance | None = None
    namespaces: Allowance | None = None


def host_limits(run_folder: Path, temporary: Path) -> HostLimits:
    """Ask the system; what it does not tell is None.

    Args:
        run_folder: need not exist yet.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounded = hard != resource.RLIM_INFINITY
    return HostLimits(
        process_files=Allowance(hard, "ulimit -Hn") if bounded else None,
        soft_files=soft if soft != resource.RLIM_INFINITY else None,
        host_files=_host_files(),
        threads=_tightest(_threads()),
        memory=_tightest(_memory()),
        run_folder=_disk(run_folder),
        temporary=_disk(temporary),
        temporary_is_memory=_is_memory(temporary),
        ports=_ports(),
        namespaces=_tightest(_namespaces()),
    )


def open_files() -> int:
    """Return how many descriptors this process has open."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # that of the listing
    except OSError:
        return int(psutil.Process().num_fds())


def _tightest(found: Iterator[Allowance]) -> Allowance | None:
    return min(found, key=lambda each: each.amount, default=None)


def _host_files() -> Allowance | None:
    with suppress(OSError, ValueError):
        used, _, most = map(int, (_PROC / "sys/fs/file-nr").read_text().split())
        return Allowance(most - used, f"fs.file-max, {most:,} less {used:,} in use")
    return None


def _threads() -> Iterator[Allowance]:
    here = _number(_PROC / "loadavg", lambda text: text.split()[3].split("/")[1])
    for name in ("threads-max", "pid_max"):
        most = _number(_PROC / "sys/kernel" / name)
        if most is not None and here is not None:
            yield Allowance(most - here, f"kernel.{name}, {most:,} less {here:,} there")
    if (left := cgroups.tasks_left()) is not None:
        yield Allowance(left, "pids.max of the control group")
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if most != resource.RLIM_INFINITY and os.geteuid() != 0:  # root is exempt
        mine = _threads_of_user()
        yield Allowance(most - mine, f"ulimit -u, {most:,} less {mine:,} there")


def _threads_of_user() -> int:
    """Return how many threads this user has."""
    total = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid():
                total += process.num_threads()
    return total


def _memory() -> Iterator[Allowance]:
    yield Allowance(int(psutil.virtual_memory().available), "free memory")
    if (left := cgroups.memory_left()) is not None:
        yield Allowance(left, "the memory limit of the control group")


def _disk(folder: Path) -> Allowance | None:
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    return Allowance(found.f_bavail * found.f_frsize, f"free at {place}")


def _is_memory(folder: Path) -> bool:
    """Tell whether a folder is on tmpfs."""
    with suppress(OSError, ValueError, IndexError):
        device = os.stat(folder).st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        for line in (_PROC / "self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[2] == name:
                return after.split()[0] in ("tmpfs", "ramfs")
    return False


def _ports() -> Allowance | None:
    with suppress(OSError, ValueError):
        text = (_PROC / "sys/net/ipv4/ip_local_port_range").read_text()
        first, last = map(int, text.split())
        return Allowance(last - first + 1, f"net.ipv4.ip_local_port_range, {first} to {last}")
    return None


def _namespaces() -> Iterator[Allowance]:
    yield Allowance(_MOST_BRIDGE_PORTS, "ports of a bridge")
    most = _number(_PROC / "sys/user/max_net_namespaces")
    if most is not None:
        yield Allowance(most, "user.max_net_namespaces")


def _number(path: Path, part: Callable[[str], str] = str) -> int | None:
    try:
        return int(part(path.read_text()))
    except (OSError, ValueError, IndexError):
        return None
