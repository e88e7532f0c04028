"""What this machine can do, what the lack of each thing costs, and which network that leaves."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import probes
from prisam_p2p.netns import probes as host_probes
from prisam_p2p.netns.link_check import measure
from prisam_p2p.system.isolated import Failed, Isolated, isolated

NAMESPACES, LOOPBACK, AUTO = "namespaces", "loopback", "auto"

_PROBE_S, _IMPORT_S = 15.0, 30.0
"""A probe takes a tenth of a second; a busy machine is not one that cannot."""


@dataclass(frozen=True)
class _Kind:
    """A thing to probe: its name, how, and what its absence costs."""

    what: str
    probe: Callable[[], str]
    costs: str


_NO_NAMESPACES = "no namespaces: rates, delays, losses and cuts are the peers' own doing"
_KINDS = (
    _Kind("user namespaces", probes.user_namespaces, "namespaces need root"),
    _Kind("network namespaces", probes.network_namespaces, _NO_NAMESPACES),
    _Kind("veth", probes.veth, _NO_NAMESPACES),
    _Kind("bridge", probes.bridge, _NO_NAMESPACES),
    _Kind("htb", probes.htb, _NO_NAMESPACES),
    _Kind("tbf", probes.tbf, _NO_NAMESPACES),
    _Kind("nftables", probes.nftables, _NO_NAMESPACES),
    _Kind("netem", probes.netem, "delay by NFQUEUE: 0.4 ms too long, and CPU for each packet"),
    _Kind("NFQUEUE", probes.nfqueue, "without netem too: no delay in namespaces"),
    _Kind("SOCK_DESTROY", probes.sock_destroy, "no resets of live connections"),
    _Kind(
        "sock_diag", host_probes.destroyed_sockets, "bytes on the wire are modelled, not counted"
    ),
    _Kind(
        "SO_MAX_PACING_RATE", host_probes.pacing, "on loopback, rates hold for chunks, not packets"
    ),
    _Kind("cubic", host_probes.cubic, "namespaces have reno: slower after a loss on long links"),
    _Kind("cgroup v2 memory", host_probes.memory_cgroup, "memory is bounded by RLIMIT_DATA alone"),
    _Kind("tshark", host_probes.tshark, "no witness of the wire beside the kernel"),
)
NEEDED = ("network namespaces", "veth", "bridge", "htb", "tbf", "nftables", "SOCK_DESTROY")
"""What the namespaces network cannot do without."""


@dataclass(frozen=True)
class Probe:
    """Whether something works here; `detail` says how, or why not."""

    what: str
    available: bool
    detail: str
    costs: str


@dataclass(frozen=True)
class Choice:
    """The network to run on, and why that one."""

    network: str
    reason: str


def probe(only: tuple[str, ...] = ()) -> dict[str, Probe]:
    """Try everything (or `only` these), all at once, each in a child with a deadline.

    The caller should have one thread: it forks.
    """
    kinds = [kind for kind in _KINDS if not only or kind.what in only]
    try:
        found = isolated(partial(_try_all, kinds), _PROBE_S + _IMPORT_S)
    except Failed as error:
        return {kind.what: Probe(kind.what, False, str(error), kind.costs) for kind in kinds}
    return {each["what"]: Probe(**each) for each in found}


def choose(probes: Mapping[str, Probe], asked: str) -> Choice:
    """Return the network for `--network asked`, by what `probe(NEEDED)` or more has found.

    Raises:
        ConfigError: namespaces were asked for, and are not to be had.
    """
    missing = [probes[what] for what in NEEDED if not probes[what].available]
    if asked == LOOPBACK:
        return Choice(LOOPBACK, "asked for")
    if not missing:
        why = "asked for" if asked == NAMESPACES else "all that it needs is here"
        return Choice(NAMESPACES, why)
    lacks = "; ".join(f"{each.what}: {each.detail}" for each in missing)
    if asked == NAMESPACES:
        raise ConfigError("--network", "", asked, f"{LOOPBACK} or {AUTO} here: {lacks}")
    return Choice(LOOPBACK, f"namespaces lack {lacks}")


def examine(asked: str = AUTO) -> dict[str, Any]:
    """Return all of it as JSON: probes, choice, and where namespaces work what they achieve."""
    found = probe()
    choice = choose(found, asked)
    works = all(found[what].available for what in NEEDED)
    return {
        "network": asdict(choice),
        "probes": [asdict(each) for each in found.values()],
        "measured": [asdict(each) for each in measure()] if works else [],
    }


def _try_all(kinds: Sequence[_Kind]) -> list[dict[str, Any]]:
    """To be called in a child: what the probes need is imported once, and not in the launcher."""
    with suppress(ImportError):  # then the probes that need it say so
        importlib.import_module("pyroute2")
    calls = [(kind, Isolated(kind.probe, _PROBE_S)) for kind in kinds]
    return [asdict(_result(kind, call)) for kind, call in calls]


def _result(kind: _Kind, call: Isolated) -> Probe:
    try:
        return Probe(kind.what, True, call.result(), kind.costs)
    except Failed as error:
        return Probe(kind.what, False, str(error), kind.costs)


def print_findings(console: Console, found: dict[str, Any]) -> None:
    """Print what `doctor.examine` returned."""
    table = Table("what", "here", "how, or why not", "what its absence costs", box=None)
    for each in found["probes"]:
        here = "yes" if each["available"] else "no"
        table.add_row(each["what"], here, each["detail"], each["costs"])
    console.print(table)
    if found["measured"]:
        measured = Table("a link in namespaces", "asked", "achieved", box=None)
        for each in found["measured"]:
            achieved = each["why_not"] or f"{each['achieved']:g}"
            measured.add_row(each["what"], f"{each['asked']:g}", achieved)
        console.print(measured)
    else:
        console.print("links in namespaces: not judged, this machine lacks what they need")
    choice = found["network"]
    console.print(
        "Where links or faults ask for more than loopback, "
        f"--network auto is {choice['network']}: {choice['reason']}",
        highlight=False,
    )
