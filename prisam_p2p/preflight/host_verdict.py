"""Does a run fit on its hosts? What each has too little of, and what would do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.placement import Lack
from prisam_p2p.preflight.host_shares import HostShare
from prisam_p2p.preflight.needs import MIB
from prisam_p2p.preflight.units import bytes_text
from prisam_p2p.preflight.verdict import Shortage

_NAMED = 3
"""Hosts that are named; of many others their number is told."""


def shortages_of_hosts(hosts: HostsPlan, shares: Sequence[HostShare]) -> list[Shortage]:
    """Return what the hosts have too little of, with what would do."""
    found = [_of_lack(lack, hosts) for lack in hosts.lacks()]
    for share in shares:
        offer = hosts.hosts[share.name]
        for what, needs, granted, right in (
            ("threads", share.threads, offer.threads, "fewer peers or more hosts"),
            ("descriptors", share.peer_files, offer.process_files, "fewer neighbors"),
        ):
            if granted is not None and needs > granted:
                whose = "a peer needs" if what == "descriptors" else f"{share.peers:,} peers need"
                told = f"{whose} {needs:,} {what} on {share.name} ({share.node}), {granted:,} are"
                found.append(Shortage(what, needs, granted, f"{told} allowed there: {right}"))
    return found


def _of_lack(lack: Lack, hosts: HostsPlan) -> Shortage:
    """Return a lack of cores or memory in words."""
    nodes = {name: host.node for name, host in hosts.hosts.items()}
    if lack.resource == "cores":
        widest = max(hosts.needs.values(), key=lambda each: each.cores)
        told = (
            f"a {widest.profile} trains on {lack.needed:g} cores, {_named(lack, nodes)}: "
            "hosts with more cores, or fewer `threads` in the device profile"
        )
        return Shortage("cores", ceil(lack.needed), int(lack.offered), told)
    needed, offered = round(lack.needed * MIB), round(lack.offered * MIB)
    more = f"about {lack.hosts:,} hosts like these" if lack.hosts else "hosts with more memory"
    told = (
        f"{len(hosts.needs):,} peers and the agents need about {bytes_text(needed)} of memory, "
        f"{bytes_text(offered)} are offered: {_named(lack, nodes)}: {more}, or at most about "
        f"{lack.peers:,} of these peers"
    )
    return Shortage("memory", needed, offered, told)


def _named(lack: Lack, nodes: Mapping[str, str]) -> str:
    """Return what the first hosts with too little would need, and have."""
    memory = lack.resource == "memory"
    shown = [
        f"{name} ({nodes[name]}) "
        + (
            f"would need {bytes_text(needs * MIB)} of {bytes_text(has * MIB)}"
            if memory
            else f"has {has:g}"
        )
        for name, (needs, has) in list(lack.over.items())[:_NAMED]
    ]
    more = len(lack.over) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
