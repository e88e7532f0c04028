"""What Ray's figures mean for us: nodes as offers, offers as bundles, and what is missing.

Pure: Ray itself is not imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from prisam_p2p.plan.placement import HostOffer

_HEAD = "node:__internal_head__"
_PIN = 0.001
_MIB = 2**20


def offers_of(nodes: Iterable[Mapping[str, Any]]) -> list[HostOffer]:
    """Return the nodes that have a processor free: the head's first, then by address.

    Args:
        nodes: for each its name `node`, its `address`, and the resources that are `free`.
    """
    able = [each for each in nodes if each["free"].get("CPU", 0) >= 1]
    able.sort(key=lambda each: (_HEAD not in each["free"], _in_order(each["address"])))
    return [
        HostOffer(
            name=f"h{index}",
            node=each["node"],
            address=each["address"],
            cores=int(each["free"]["CPU"]),
            memory_mib=int(each["free"].get("memory", 0)) // _MIB,
            gpus=int(each["free"].get("GPU", 0)),
        )
        for index, each in enumerate(able, start=1)
    ]


def bundle(host: HostOffer) -> dict[str, float]:
    """Return what Ray is asked to reserve on this very node."""
    asked = {"CPU": host.cores, "memory": host.memory_mib * _MIB, "GPU": host.gpus}
    return {f"node:{host.address}": _PIN, **{name: n for name, n in asked.items() if n > 0}}


def why_not_placed(hosts: Sequence[HostOffer], free: Mapping[str, Mapping[str, float]]) -> str:
    """Say which host has not what was asked of it.

    Args:
        free: address -> the resources that are free there; a node that has gone is absent.
    """
    reasons = [reason for each in hosts if (reason := _lack(each, free.get(each.address)))]
    return "; ".join(reasons) or "Ray reserved nothing, though all of it seems to be free"


def _lack(host: HostOffer, free: Mapping[str, float] | None) -> str:
    who = f"{host.name} ({host.address})"
    if free is None:
        return f"{who} is no node of Ray's any more"
    pairs = [
        ("CPUs", host.cores, int(free.get("CPU", 0))),
        ("MiB of memory", host.memory_mib, int(free.get("memory", 0)) // _MIB),
        ("GPUs", host.gpus, int(free.get("GPU", 0))),
    ]
    lacks = [f"{there:,} of {asked:,} {what}" for what, asked, there in pairs if there < asked]
    return f"{who} has {', '.join(lacks)} free" if lacks else ""


def _in_order(address: str) -> tuple[int, int, str]:
    try:
        parsed = ip_address(address)
    except ValueError:
        return 9, 0, address
    return parsed.version, int(parsed), ""
