"""Does a run fit on this machine? What it needs, held against what is granted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prisam_p2p.preflight.counts import RunCounts
from prisam_p2p.preflight.host_shares import HostShare
from prisam_p2p.preflight.needs import Disk, Memory
from prisam_p2p.preflight.units import bytes_text
from prisam_p2p.system.host_limits import Allowance, HostLimits


@dataclass(frozen=True)
class RunNeeds:
    """What one run needs: the run itself, or its baseline after it.

    Attributes:
        namespaces: whether each peer has a network namespace.
        memory, seconds: None = could not be measured.
    """

    algorithm: str
    namespaces: bool
    counts: RunCounts
    memory: Memory | None
    disk: Disk
    seconds: float | None


@dataclass(frozen=True)
class Shortage:
    """What does not fit, in words.

    Attributes:
        what: memory, descriptors, ...
        needs, granted: amounts, in descriptors, threads or bytes.
        told: the sentence for people.
    """

    what: str
    needs: int
    granted: int
    told: str


@dataclass(frozen=True)
class Preflight:
    """What the runs of a launch need, and what there is.

    Attributes:
        unknown: why memory and time are not known; "" if they are.
        shortages: what does not fit.
        hosts: what lives on each host, in the run itself; [] = all peers live here.
    """

    topology: str
    runs: Sequence[RunNeeds]
    limits: HostLimits
    unknown: str
    shortages: Sequence[Shortage]
    hosts: Sequence[HostShare] = ()


def shortages(runs: Sequence[RunNeeds], limits: HostLimits) -> list[Shortage]:
    """Return what does not fit; runs are done one after the other, and keep their files."""
    found: dict[str, Shortage] = {}
    for run in runs:
        for each in _of_one(run, limits):
            if each.what not in found or each.needs > found[each.what].needs:
                found[each.what] = each
    return [*found.values(), *shortage_of_disk(runs, limits)]


def shortage_of_disk(runs: Sequence[RunNeeds], limits: HostLimits) -> list[Shortage]:
    """Return what the disk of the run folder has too little of; all runs keep their files there."""
    needs, granted = sum(run.disk.run_folder for run in runs), limits.run_folder
    if granted is None or needs <= granted.amount:
        return []
    told = (
        f"the run folder needs about {bytes_text(needs)}, {bytes_text(granted.amount)} are "
        f"{granted.limit}: another --run-dir, or fewer rounds"
    )
    return [Shortage("disk", needs, granted.amount, told)]


def refusal(name: str, found: Sequence[Shortage], where: str = "this machine") -> str:
    """Return the error text for a run that does not fit on `where`."""
    return f"{name} does not fit on {where}: {'; '.join(each.told for each in found)}" + (
        ". --force goes on all the same; prisam plan shows all figures"
    )


def _of_one(run: RunNeeds, limits: HostLimits) -> list[Shortage]:
    counts, memory = run.counts, run.memory
    found = [
        *_descriptors(counts, limits.process_files),
        *_amount("descriptors of all processes", counts.host_files, limits.host_files, counts),
        *_amount("threads", counts.threads, limits.threads, counts),
        *_ports(counts, limits.ports),
    ]
    if run.namespaces:
        found += _amount("network namespaces", counts.peers, limits.namespaces, counts)
    temporary = 0 if limits.temporary_is_memory else run.disk.temporary
    found += _of_temporary(temporary, limits.temporary)
    if memory is not None:
        in_memory = run.disk.temporary if limits.temporary_is_memory else 0
        found += _memory(memory, in_memory, counts, limits.memory)
    return found


def _memory(
    memory: Memory, files: int, counts: RunCounts, granted: Allowance | None
) -> list[Shortage]:
    needs = memory.added + files
    if granted is None or needs <= granted.amount:
        return []
    of_a_peer = (memory.peers + memory.kernel + files) / counts.peers
    most = int((granted.amount - memory.launcher) / of_a_peer)
    told = (
        f"{counts.peers:,} peers need about {bytes_text(needs)} of memory, "
        f"{bytes_text(granted.amount)} are left ({granted.limit}): {_at_most(most)} of this "
        "model, or a smaller --width, or more memory"
    )
    return [Shortage("memory", needs, granted.amount, told)]


def _descriptors(counts: RunCounts, granted: Allowance | None) -> list[Shortage]:
    if granted is None or counts.process_files <= granted.amount:
        return []
    needs = counts.process_files
    if counts.peer_files >= needs:
        who = f"peer {counts.busiest} needs {needs:,} descriptors"
        right = "fewer neighbors"
    else:
        who = f"the launcher of {counts.peers:,} peers needs {needs:,} descriptors"
        right = "fewer peers"
    told = f"{who}, {granted.amount:,} are allowed ({granted.limit}): raise it, or {right}"
    return [Shortage("descriptors", needs, granted.amount, told)]


def _amount(what: str, needs: int, granted: Allowance | None, counts: RunCounts) -> list[Shortage]:
    """Return a shortage of something that grows with the number of peers."""
    if granted is None or needs <= granted.amount:
        return []
    most = granted.amount * counts.peers // needs
    told = (
        f"{counts.peers:,} peers need {needs:,} {what}, {granted.amount:,} are left "
        f"({granted.limit}): {_at_most(most)}"
    )
    return [Shortage(what, needs, granted.amount, told)]


def _ports(counts: RunCounts, granted: Allowance | None) -> list[Shortage]:
    """Each peer has its own address, from which it opens half of its connections."""
    needs = counts.peer_connections // 2
    if granted is None or needs <= granted.amount:
        return []
    told = (
        f"peer {counts.busiest} opens {needs:,} connections, {granted.amount:,} ports are there "
        f"({granted.limit}): fewer neighbors"
    )
    return [Shortage("ports", needs, granted.amount, told)]


def _of_temporary(needs: int, granted: Allowance | None) -> list[Shortage]:
    if granted is None or needs <= granted.amount:
        return []
    told = (
        f"temporary files need about {bytes_text(needs)}, {bytes_text(granted.amount)} are "
        f"{granted.limit}: TMPDIR on a larger disk"
    )
    return [Shortage("temporary files", needs, granted.amount, told)]


def _at_most(peers: int) -> str:
    return f"at most about {max(0, peers):,} peers"
