"""A preflight as a table for people, and as JSON. Pure, up to the printing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.preflight.host_shares import HostShare
from prisam_p2p.preflight.needs import MIB
from prisam_p2p.preflight.units import bytes_text, seconds_text
from prisam_p2p.preflight.verdict import Preflight, RunNeeds
from prisam_p2p.system.host_limits import Allowance, HostLimits


@dataclass(frozen=True)
class _Row:
    """A line of the table: what each run needs, and what is granted.

    Attributes:
        of_launcher: it concerns the launcher's host, wherever the peers live.
    """

    what: str
    needs: Callable[[RunNeeds], str]
    granted: Callable[[HostLimits], Allowance | None] = lambda _limits: None
    shown: Callable[[float], str] = lambda amount: f"{amount:,}"
    of_launcher: bool = False


_ROWS = (
    _Row("peers", lambda run: f"{run.counts.peers:,}"),
    _Row("of them in a round", lambda run: f"{run.counts.participants:,}"),
    _Row("processes", lambda run: f"{run.counts.processes:,}"),
    _Row("threads", lambda run: f"{run.counts.threads:,}", lambda limits: limits.threads),
    _Row("TCP connections", lambda run: f"{run.counts.connections:,}"),
    _Row(
        "descriptors of the launcher",
        lambda run: f"{run.counts.launcher_files:,}",
        lambda limits: limits.process_files,
    ),
    _Row(
        "descriptors of one peer",
        lambda run: f"{run.counts.peer_files:,}",
        lambda limits: limits.process_files,
    ),
    _Row(
        "descriptors of all",
        lambda run: f"{run.counts.host_files:,}",
        lambda limits: limits.host_files,
    ),
    _Row(
        "network namespaces",
        lambda run: f"{run.counts.peers:,}" if run.namespaces else "-",
        lambda limits: limits.namespaces,
    ),
    _Row("memory of one peer", lambda run: _memory(run, lambda m: m.peers / run.counts.peers)),
    _Row("memory in all", lambda run: _memory(run, lambda m: m.total)),
    _Row(
        "memory to be taken",
        lambda run: _memory(run, lambda m: m.added),
        lambda limits: limits.memory,
        bytes_text,
    ),
    _Row(
        "run folder",
        lambda run: bytes_text(run.disk.run_folder),
        lambda limits: limits.run_folder,
        bytes_text,
        of_launcher=True,
    ),
    _Row(
        "temporary files",
        lambda run: bytes_text(run.disk.temporary),
        lambda limits: limits.temporary,
        bytes_text,
    ),
    _Row("time", lambda run: "?" if run.seconds is None else seconds_text(run.seconds)),
)


_HOSTS = (
    TableColumn("host", keeps=True),
    TableColumn("node"),
    TableColumn("peers", right=True),
    TableColumn("cores", right=True),
    TableColumn("memory", right=True),
    TableColumn("GPUs", right=True),
    TableColumn("links within", right=True),
    TableColumn("across", right=True),
    TableColumn("weights from other hosts", right=True),
    TableColumn("devices", wraps=True),
)


def print_preflight(preflight: Preflight) -> None:
    """Print what the runs need beside what this machine has, and the verdict."""
    columns = [TableColumn(preflight.topology, keeps=True)]
    columns += [TableColumn(run.algorithm, right=True) for run in preflight.runs]
    columns += [TableColumn("there is", right=True), TableColumn("by")]
    print_table(columns, [_cells(row, preflight) for row in _ROWS])
    if preflight.hosts:
        print_line("")
        print_table(_HOSTS, [_host_cells(share) for share in preflight.hosts])
    for line in verdict_lines(preflight):
        print_line(line)


def verdict_lines(preflight: Preflight) -> list[str]:
    """Return the verdict: what does not fit, or that all of it does."""
    lines = []
    if preflight.unknown:
        lines.append(f"memory and time could not be measured: {preflight.unknown}")
    soft, needs = preflight.limits.soft_files, _most_files(preflight.runs)
    if soft is not None and needs > soft and not preflight.shortages:
        lines.append(f"the launcher raises its limit of {soft:,} descriptors itself")
    if not preflight.shortages:
        what = "the rest" if preflight.unknown else "it"
        where = "its hosts" if preflight.hosts else "this machine"
        return [
            *lines,
            f"{what} fits on {where}, as {'they are' if preflight.hosts else 'it is'} now",
        ]
    return [*lines, *(f"does not fit: {each.told}" for each in preflight.shortages)]


def as_dict(preflight: Preflight) -> dict[str, Any]:
    """Return a preflight for JSON; amounts are bytes, seconds or numbers of things."""
    runs = []
    for run in preflight.runs:
        fields = asdict(run)
        for of_each_peer in ("degrees", "heard", "donors"):
            del fields["counts"][of_each_peer]
        if run.memory:
            fields["memory"] |= {"added": run.memory.added, "total": run.memory.total}
        runs.append(fields)
    return {
        "topology": preflight.topology,
        "fits": _fits(preflight),
        "shortages": [asdict(each) for each in preflight.shortages],
        "unknown": preflight.unknown,
        "runs": runs,
        "limits": asdict(preflight.limits),
        "hosts": [asdict(each) for each in preflight.hosts],
    }


def _fits(preflight: Preflight) -> bool | None:
    """Tell whether all fits; None where something could not be measured and the rest fits."""
    if preflight.shortages:
        return False
    return None if preflight.unknown else True


def _cells(row: _Row, preflight: Preflight) -> list[str]:
    granted = row.granted(preflight.limits)
    if preflight.hosts and not row.of_launcher:
        granted = None  # the hosts' figures stand in their own table
    there = [row.shown(granted.amount), granted.limit] if granted else ["", ""]
    return [row.what, *map(row.needs, preflight.runs), *there]


def _host_cells(share: HostShare) -> list[str]:
    used, offered = (bytes_text(mib * MIB) for mib in (share.memory_mib, share.offered_mib))
    return [
        share.name,
        share.node,
        f"{share.peers:,}",
        f"{share.cores:g} of {share.offered_cores:,}",
        f"{used} of {offered}",
        f"{share.gpus} of {share.offered_gpus}" if share.offered_gpus else "-",
        f"{share.links_within:,}",
        f"{share.links_across:,}",
        f"about {bytes_text(share.pulled_bytes)} a round" if share.pulled_bytes else "-",
        ", ".join(f"{n} {name}" for name, n in share.profiles.items()),
    ]


def _memory(run: RunNeeds, part: Callable[[Any], float]) -> str:
    return "?" if run.memory is None else bytes_text(part(run.memory))


def _most_files(runs: Sequence[RunNeeds]) -> int:
    return max(run.counts.process_files for run in runs)
