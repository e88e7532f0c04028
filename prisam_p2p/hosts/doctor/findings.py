"""What the hosts of an engine lack for a run, alone and between them, and what that costs. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_RELEASE = "prisam-p2p"
_SLOW_CLOCK_MS = 10.0

_COUNTS_HERE = ("SO_MAX_PACING_RATE", "SOCK_DESTROY", "cgroup v2 memory")
"""Capabilities (netns/capabilities.py) that peers on hosts use. Those of namespaces do not matter:
peers have the addresses of their hosts. What sock_diag tells is in `kernel`."""


@dataclass(frozen=True)
class ExaminedHost:
    """A host as its agent and the probe on it tell.

    Attributes:
        name, node, address, cores, memory_mib: of the offer.
        gpus: what the agent sees of the GPUs.
        kernel: why the kernel does not report sockets' figures, "" if it does.
        mtu: of the interface that the launcher is reached by.
        clock_bound_s: within which its clock is known; None = it is not.
        examined: what probe_process.examine returned.
    """

    name: str
    node: str
    address: str
    cores: int
    memory_mib: int
    gpus: Sequence[str]
    kernel: str
    mtu: int
    clock_bound_s: float | None
    examined: Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """TCP from one host to a port of another.

    Attributes:
        why_not: why the port was not reached, "" if it was.
        rtt_ms: times of some round trips of a byte.
        mbit_s: what arrived over one connection; None = not measured.
        why_no_rate: why that could not be measured, "" if it was or was not asked for.
    """

    source: str
    target: str
    why_not: str = ""
    rtt_ms: Sequence[float] = ()
    mbit_s: float | None = None
    why_no_rate: str = ""


@dataclass(frozen=True)
class HostLack:
    """Something that is missing.

    Attributes:
        where: a host, or two.
        what, why: the thing, and what was seen.
        costs: what a run does without.
        forbids: no run is possible with this.
    """

    where: str
    what: str
    why: str
    costs: str
    forbids: bool = False


def lacks(
    launcher: Mapping[str, Any], hosts: Sequence[ExaminedHost], ways: Sequence[Way]
) -> list[HostLack]:
    """Return what is missing: first what forbids a run, then what costs something.

    Args:
        launcher: what `examine` returned where the launcher is.
    """
    found = [*_unreached(ways), *_differences(launcher, hosts)]
    for each in hosts:
        found += _of_host(each)
    return sorted(found, key=lambda each: not each.forbids)


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return all (source, target), source and target two of these hosts."""
    return [(a, b) for a in names for b in names if a != b]


def rated_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs whose rate is measured, one after the other: each host's to the next, back.

    All pairs would take a second each.
    """
    if len(names) < 2:
        return []
    ring = list(zip(names, [*names[1:], names[0]], strict=True))
    return list(dict.fromkeys([*ring, *((b, a) for a, b in ring)]))


def median_ms(way: Way) -> float | None:
    """Return the median round trip; None where nothing was reached."""
    return statistics.median(way.rtt_ms) if way.rtt_ms else None


def _unreached(ways: Sequence[Way]) -> list[HostLack]:
    cost = "a peer here hears no peer there: open the TCP ports between the hosts"
    return [
        HostLack(f"{each.source} to {each.target}", "ports", each.why_not, cost, forbids=True)
        for each in ways
        if each.why_not
    ]


def _differences(launcher: Mapping[str, Any], hosts: Sequence[ExaminedHost]) -> list[HostLack]:
    """Return where Python or a package is not the launcher's."""
    found = []
    for host in hosts:
        there = host.examined
        if there["python"] != launcher["python"]:
            found.append(_other(host, "Python", there["python"], launcher["python"]))
        for name, version in launcher["versions"].items():
            if (its := there["versions"].get(name, "none")) != version:
                found.append(_other(host, name, its, version))
        if there["commit"] != launcher["commit"]:
            found.append(_other(host, "code", there["commit"], launcher["commit"]))
    return found


def _other(host: ExaminedHost, what: str, there: str, here: str) -> HostLack:
    why = f"{there or 'an installed release'}; the launcher has {here or 'an installed release'}"
    if what in (_RELEASE, "code"):
        cost = "launcher and agents speak only with their own release"
        return HostLack(host.name, what, why, cost, forbids=what == _RELEASE)
    return HostLack(host.name, what, why, "results may differ from those of one host in last bits")


def _of_host(host: ExaminedHost) -> list[HostLack]:
    """Return what a host itself lacks."""
    found = []
    if host.kernel:
        cost = "bytes of its peers' connections are not checked against the kernel's figures"
        found.append(HostLack(host.name, "kernel counters", host.kernel, cost))
    if host.clock_bound_s is None:
        why = "no exchange with the launcher was answered"
        found.append(HostLack(host.name, "clock", why, "its events have no place among others'"))
    elif (bound_ms := host.clock_bound_s * 1000) > _SLOW_CLOCK_MS:
        cost = "the order of events that are closer than this is unknown"
        found.append(HostLack(host.name, "clock", f"known to {bound_ms:.1f} ms only", cost))
    if not host.gpus:
        found.append(HostLack(host.name, "GPU", "none is seen", "--device cuda has no host here"))
    for each in host.examined["probes"]:
        if each["what"] in _COUNTS_HERE and not each["available"]:
            found.append(HostLack(host.name, each["what"], each["detail"], each["costs"]))
    return found


def together(found: Sequence[HostLack]) -> list[HostLack]:
    """Return lacks that are alike as one, with all the places where they are."""
    places: dict[HostLack, list[str]] = {}
    for each in found:
        places.setdefault(replace(each, where=""), []).append(each.where)
    return [replace(each, where=", ".join(where)) for each, where in places.items()]
