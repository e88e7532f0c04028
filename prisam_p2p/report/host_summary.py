"""What summary.json says of a run's hosts, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prisam_p2p.report.breakdown import SUMMED, within_and_across
from prisam_p2p.report.cells import count_of_bytes
from prisam_p2p.report.hosts import HostStay, RunHosts
from prisam_p2p.report.ledger import Ledger

_NAMED = 8
"""The peers of at most this many hosts are counted in the printed line."""

Told = Mapping[str, Any]


def host_summary(ledger: Ledger, peers: Sequence[str]) -> dict[str, Any] | None:
    """Return what summary.json says of the hosts (docs/run-folder.md); None without hosts.

    Args:
        peers: of the run.
    """
    hosts = ledger.hosts
    if not hosts:
        return None
    return {
        "hosts": {host: _host(host, hosts, ledger, peers) for host in sorted(hosts.stays)},
        "lost": [_lost(stay, hosts) for stay in hosts.losses()],
        "bytes": {
            where: {
                kind: dict(zip(SUMMED, numbers, strict=True)) for kind, numbers in kinds.items()
            }
            for where, kinds in within_and_across(ledger).items()
        },
    }


def _host(host: str, hosts: RunHosts, ledger: Ledger, peers: Sequence[str]) -> dict[str, Any]:
    stay = hosts.stays[host][-1]
    rows = [row for row in ledger.rows if host in (row.sender_host, row.receiver_host)]
    line = hosts.lines.get(host)
    return {
        "node": stay.node,
        "address": stay.address,
        "peers": [peer for peer in peers if hosts.of_peer(peer) == host],
        "lost": stay.is_lost,
        "clock_bound_s": hosts.bounds.get(host),
        "wire": {
            "within": sum(row.wire for row in rows if row.sender_host == row.receiver_host),
            "out": sum(row.wire for row in rows if row.receiver_host != host),
            "in": sum(row.wire for row in rows if row.sender_host != host),
        },
        "line_bytes": {"out": line[0], "in": line[1]} if line else None,
    }


def _lost(stay: HostStay, hosts: RunHosts) -> dict[str, Any]:
    """Return the loss of a host; `moved`: which of its peers went on elsewhere."""
    moved = [
        peer
        for peer in stay.peers
        if any(t_s > stay.lost_s for t_s, _ in hosts.homes.get(peer, ()))
    ]
    return {
        "host": stay.host,
        "t_s": stay.lost_s,
        "reason": stay.reason,
        "silent_s": stay.silent_s,
        "peers": list(stay.peers),
        "moved": moved,
    }


def host_lines(summary: Told) -> list[str]:
    """Return the hosts in words: one line, and one for each that was lost; none without hosts."""
    told = summary.get("hosts")
    if not told:
        return []
    hosts = told["hosts"]
    counts = [f"{host} {_peers(len(each['peers']))}" for host, each in hosts.items()]
    named = f" ({', '.join(counts)})" if len(counts) <= _NAMED else ""
    within, across = (
        sum(kind["wire"] for kind in told["bytes"][where].values())
        for where in ("within", "across")
    )
    whole = within + across
    share = f" ({across / whole:.0%} of all)" if whole else ""
    bounds = [x["clock_bound_s"] for x in hosts.values() if x["clock_bound_s"] is not None]
    clocks = f"; clocks right within {1000 * max(bounds):.2f} ms" if bounds else ""
    line = (
        f"hosts: {len(hosts)}{named}; on the wire between them {count_of_bytes(across)}{share}, "
        f"within them {count_of_bytes(within)}{clocks}"
    )
    return [line, *(f"  {lost_host_words(each)} at {each['t_s']:.1f} s" for each in told["lost"])]


def lost_host_words(lost: Told) -> str:
    """Return which host was lost and why, and how many of its peers went on elsewhere."""
    n, moved = len(lost["peers"]), len(lost["moved"])
    of_them = f"{moved} of its {_peers(n)}" if moved < n else f"its {_peers(n)}"
    there = f", {of_them} restarted elsewhere" if moved else f" with {_peers(n)}"
    return f"host {lost['host']} lost{there} ({lost['reason']})"


def _peers(n: int) -> str:
    return f"{n} peer{'s' * (n != 1)}"
