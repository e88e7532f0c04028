"""Which features of the kernel this machine has, and what the lack of each one costs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from prisam_p2p.netns import probes
from prisam_p2p.system.isolated import Failed, Isolated, isolated

_PROBE_S, _IMPORT_S = 15.0, 30.0
"""A probe takes about 0.1 s. The deadline is long, so that a busy machine passes too."""


@dataclass(frozen=True)
class Capability:
    """The result of one probe.

    Attributes:
        what: the feature's name.
        available: whether it works here.
        detail: how it works, or why it does not.
        costs: what the lack of it costs.
    """

    what: str
    available: bool
    detail: str
    costs: str


@dataclass(frozen=True)
class _Probe:
    what: str
    run: Callable[[], str]
    costs: str


_NO_NAMESPACES = "no namespaces: rates, delays and cuts are emulated in the application"
_PROBES = (
    _Probe("user namespaces", probes.user_namespaces, "namespaces need root"),
    _Probe("network namespaces", probes.network_namespaces, _NO_NAMESPACES),
    _Probe("veth", probes.veth, _NO_NAMESPACES),
    _Probe("bridge", probes.bridge, _NO_NAMESPACES),
    _Probe("htb", probes.htb, _NO_NAMESPACES),
    _Probe("tbf", probes.tbf, _NO_NAMESPACES),
    _Probe("nftables", probes.nftables, _NO_NAMESPACES),
    _Probe("netem", probes.netem, "delays by NFQUEUE: 0.4 ms too long, and CPU time per packet"),
    _Probe("NFQUEUE", probes.nfqueue, "without netem too: no delays in namespaces"),
    _Probe("SOCK_DESTROY", probes.sock_destroy, "no resets of live connections"),
    _Probe("sock_diag", probes.destroyed_sockets, "bytes on the wire are modelled, not counted"),
    _Probe("SO_MAX_PACING_RATE", probes.pacing, "on loopback, pacing by chunk, not by packet"),
    _Probe("cubic", probes.cubic, "namespaces use reno: slower recovery from loss on long links"),
    _Probe("cgroup v2 memory", probes.memory_cgroup, "memory is limited by RLIMIT_DATA alone"),
    _Probe("tshark", probes.tshark, "the kernel's byte counts have no independent check"),
)
NEEDED = ("network namespaces", "veth", "bridge", "htb", "tbf", "nftables", "SOCK_DESTROY")
"""The capabilities that network namespaces require."""


def probe(only: tuple[str, ...] = ()) -> dict[str, Capability]:
    """Probe all capabilities (or `only` these) in parallel, each in a child with a deadline.

    The caller should have one thread, because this forks.

    Returns:
        Name -> capability, in the order of the table.
    """
    chosen = [each for each in _PROBES if not only or each.what in only]
    try:
        found = isolated(partial(_run_all, chosen), _PROBE_S + _IMPORT_S)
    except Failed as error:
        return {each.what: Capability(each.what, False, str(error), each.costs) for each in chosen}
    return {each["what"]: Capability(**each) for each in found}


def _run_all(chosen: Sequence[_Probe]) -> list[dict[str, Any]]:
    """Run in a child, so that the probes' imports happen once, and not in the launcher."""
    with suppress(ImportError):  # the probes that need it then fail with the reason
        importlib.import_module("pyroute2")
    calls = [(each, Isolated(each.run, _PROBE_S)) for each in chosen]
    return [asdict(_capability(each, call)) for each, call in calls]


def _capability(probe: _Probe, call: Isolated) -> Capability:
    try:
        return Capability(probe.what, True, call.result(), probe.costs)
    except Failed as error:
        return Capability(probe.what, False, str(error), probe.costs)
