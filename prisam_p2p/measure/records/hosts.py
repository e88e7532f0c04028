"""A run's hosts: up, measured, lost, fenced. Written by the launcher, in a run of several hosts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostUp:
    """The agent of a host has answered, and peers can be started there.

    Attributes:
        node: the host's own name; pid: of its agent.
        address: under which the other hosts reach it; its peers listen there.
        gpus: what CUDA_VISIBLE_DEVICES can be for one GPU each.
        mtu: of the interface to the other hosts.
        kernel: why the kernel does not report sockets' figures, "" if it does.
        facts: kernel release, versions, boot id, ..
    """

    host: str
    node: str
    address: str
    pid: int
    cores: int
    memory_mib: int
    gpus: list[str]
    mtu: int
    kernel: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class HostClock:
    """What is added to a host's CLOCK_MONOTONIC for the launcher's, right within `bound_s`.

    `changed_s`: by how much the offset has changed since the last such record of this host.
    """

    host: str
    offset_s: float
    bound_s: float
    changed_s: float


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host was not heard for a lease, or its engine says that it is gone.

    Attributes:
        silent_s: for how long it was not heard.
        peers: those that had a process there.
    """

    host: str
    node: str
    reason: str
    silent_s: float
    peers: list[str]


@dataclass(frozen=True, slots=True)
class HostFenced:
    """The neighbors of a lost host's peers hear the processes there no more.

    Attributes:
        least: peer -> the least incarnation of it that is heard.
        answered: the neighbors that have said so, and still have a process.
        unanswered: those that have not, within the time that they were given.
        waited_s: since the loss was noticed.
    """

    host: str
    least: dict[str, int]
    answered: list[str]
    unanswered: list[str]
    waited_s: float


@dataclass(frozen=True, slots=True)
class NoRoom:
    """A peer of a lost host is not started again: none of the `hosts` that are left has room."""

    peer: str
    hosts: list[str]


@dataclass(frozen=True, slots=True)
class HostLine:
    """Bytes of the frames on the launcher's line with a host, until the line was closed."""

    host: str
    sent_bytes: int
    received_bytes: int
