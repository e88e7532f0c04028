"""What `prisam doctor --on` prints for people."""

from __future__ import annotations

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.hosts.doctor.examination import HostsReport
from prisam_p2p.hosts.doctor.findings import ExaminedHost, HostLack, Way, median_ms, together

_HOSTS = (
    TableColumn("host", keeps=True),
    TableColumn("node", keeps=True),
    TableColumn("address"),
    TableColumn("cores", right=True),
    TableColumn("MiB", right=True),
    TableColumn("GPUs", right=True),
    TableColumn("clock, ± ms", right=True),
    TableColumn("MTU", right=True),
    TableColumn("Python"),
    TableColumn("root"),
)
_WAYS = (
    TableColumn("from", keeps=True),
    TableColumn("to", keeps=True),
    TableColumn("ports", wraps=True),
    TableColumn("round trip, ms", right=True),
    TableColumn("Mbit/s", right=True),
)
_LACKS = (
    TableColumn("where", keeps=True, wraps=True),
    TableColumn("what is missing", keeps=True),
    TableColumn("what was seen", wraps=True),
    TableColumn("what it costs", wraps=True),
)


def print_hosts_report(report: HostsReport) -> None:
    """Print the hosts, the ways between them, and what is missing."""
    print_table(_HOSTS, [_host_row(each) for each in report.hosts])
    print_line("")
    if report.ways:
        print_table(_WAYS, [_way_row(each) for each in report.ways])
        print_line("")
    if report.lacks:
        print_table(_LACKS, [_lack_row(each) for each in together(report.lacks)])
        print_line("")
    forbidding = [each for each in report.lacks if each.forbids]
    n_hosts = f"{len(report.hosts)} host{'s' if len(report.hosts) > 1 else ''} of {report.engine}"
    if forbidding:
        first = forbidding[0]
        print_line(f"{n_hosts}: no run is possible: {first.where}: {first.what}: {first.why}")
    else:
        print_line(f"{n_hosts} can be used: prisam launch TOPOLOGY --on {report.engine}")


def _host_row(host: ExaminedHost) -> list[str]:
    bound_s = host.clock_bound_s
    return [
        host.name,
        host.node,
        host.address,
        str(host.cores),
        f"{host.memory_mib:,}",
        str(len(host.gpus)),
        "unknown" if bound_s is None else f"{bound_s * 1000:.2f}",
        str(host.mtu),
        host.examined["python"],
        "yes" if host.examined["is_root"] else "no",
    ]


def _way_row(way: Way) -> list[str]:
    median = median_ms(way)
    rate = f"{way.mbit_s:,.0f}" if way.mbit_s is not None else way.why_no_rate
    reached = f"no: {way.why_not}" if way.why_not else "reached"
    return [way.source, way.target, reached, "" if median is None else f"{median:.2f}", rate]


def _lack_row(lack: HostLack) -> list[str]:
    return [lack.where, lack.what, lack.why, lack.costs]
