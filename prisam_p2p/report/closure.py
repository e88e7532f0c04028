"""The closure check: every byte of every connection is explained, or the connection is named."""

from __future__ import annotations

from typing import Any

from prisam_p2p.report.directions import counted
from prisam_p2p.report.explanation import KERNEL, MODEL, Explained
from prisam_p2p.report.joined_connections import JoinedConnection
from prisam_p2p.report.ledger import Ledger
from prisam_p2p.report.verdicts import FALSE, NOT_JUDGED, TRUE

PARTLY = "partly kernel"
_LISTED = 6
"""So many connections with an end on a lost host are printed."""


def closure(ledger: Ledger) -> dict[str, Any]:
    """Return what summary.json says of the closure (docs/run-folder.md)."""
    accounts = [entry.explained for _, entry in ledger.entries]
    unrecorded = sum(n_bytes for *_, n_bytes in ledger.unrecorded)
    failed = failures(ledger)
    judged = sum(any(entry.explained.judged for entry in both) for _, both in ledger.connections)
    return {
        "verdict": FALSE if failed else TRUE if judged else NOT_JUDGED,
        "connections": len(ledger.connections),
        "judged_connections": judged,
        "unexplained_bytes": sum(e.unexplained for e in accounts) + unrecorded,
        "source": _source(ledger),
        "modelled_connections": sum(not c.measured for c, _ in ledger.connections),
        "torn_bytes": sum(e.torn for e in accounts),
        "unsent_bytes": sum(e.unsent for e in accounts),
        "in_flight_bytes": sum(e.in_flight for e in accounts),
        "uncounted_bytes": sum(e.uncounted for e in accounts),
        "local_drop_bytes": sum(e.local_drops for e in accounts),
        "foreign_connections": len(ledger.foreign),
        "failures": failed,
        "lost_hosts": lost_with_hosts(ledger),
    }


def failures(ledger: Ledger) -> list[str]:
    """Return a sentence for each direction with unexplained bytes, with all figures of it."""
    found = [
        _failure(connection, entry.explained)
        for connection, entry in ledger.entries
        if entry.explained.unexplained
    ]
    return found + [
        f"{peer} counted {n_bytes} bytes on its connection {number}, which it did not record"
        for peer, number, n_bytes in ledger.unrecorded
    ]


def lost_with_hosts(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the connections with an end on a host that was lost: they are not judged."""
    return [
        {
            "client": c.client_peer,
            "server": c.server_peer,
            "channel": c.channel,
            "client_address": c.client_address,
            "server_address": c.server_address,
            "hosts": list(c.lost_hosts),
        }
        for c, _ in ledger.connections
        if c.lost_hosts
    ]


def closure_lines(closed: dict[str, Any]) -> list[str]:
    """Return the closure in words, a line, and lines below it.

    These are one for each connection that does not close, and those that are not judged because a
    host was lost.
    """
    lost = ", ".join(
        f"{closed[f'{name}_bytes']:,} B {words}"
        for name, words in (
            ("torn", "of messages torn off"),
            ("unsent", "never sent"),
            ("in_flight", "lost in flight"),
            ("uncounted", "uncounted"),
        )
        if closed[f"{name}_bytes"]
    )
    modelled, foreign = closed["modelled_connections"], closed["foreign_connections"]
    of_lost = closed.get("lost_hosts", [])
    unjudged = closed["connections"] - closed["judged_connections"] - len(of_lost)
    local = closed.get("local_drop_bytes", 0)  # not in summaries of earlier releases
    notes = [lost] if lost else []
    notes += [f"{local:,} B counted as sent that never left their host"] if local else []
    notes += [f"{unjudged:,} cut off, and not judged"] if unjudged else []
    notes += [f"{modelled:,} without the kernel's figures"] if modelled else []
    notes += [f"{foreign:,} foreign ones left out"] if foreign else []
    line = f"closure: {closed['connections']:,} connections, "
    if closed["verdict"] == NOT_JUDGED:
        line += NOT_JUDGED
    else:
        line += f"{closed['unexplained_bytes']:,} B unexplained ({closed['source']})"
    notes += [f"{len(of_lost):,} with an end on a lost host, and not judged"] if of_lost else []
    below = [*closed["failures"], *_of_lost_hosts(of_lost)]
    return ["; ".join([line, *notes]), *(f"  {each}" for each in below)]


def _of_lost_hosts(connections: list[dict[str, Any]]) -> list[str]:
    """Return a line for each lost host, or pair of them, with its connections."""
    by_hosts: dict[tuple[str, ...], list[str]] = {}
    for each in connections:
        told = f"{each['client']} -> {each['server']} ({each['channel']})"
        by_hosts.setdefault(tuple(each["hosts"]), []).append(told)
    return [
        f"not judged, with an end on {' and '.join(hosts)}: {_some(told)}"
        for hosts, told in sorted(by_hosts.items())
    ]


def _some(told: list[str]) -> str:
    more = f", and {len(told) - _LISTED} more, see summary.json" if len(told) > _LISTED else ""
    return ", ".join(told[:_LISTED]) + more


def _source(ledger: Ledger) -> str:
    measured = [connection.measured for connection, _ in ledger.connections]
    if any(measured):
        return KERNEL if all(measured) else PARTLY
    return MODEL


def _failure(connection: JoinedConnection, each: Explained) -> str:
    direction = each.direction
    ends = (
        ("sender", direction.sent, direction.sender_final),
        ("receiver", direction.received, direction.receiver_final),
    )
    messages = ", ".join(
        f"{counted(counts)} by the {end}{'' if final else ' until it was lost'}"
        for end, counts, final in ends
    )
    there, here = connection.client_address, connection.server_address
    way = f"{there} -> {here}" if direction.side == "client" else f"{here} -> {there}"
    stream = f"{each.source} stream {each.stream} B, received {each.received} B"
    return (
        f"{direction.sender} -> {direction.receiver} ({connection.channel}, {way}): "
        f"{each.unexplained} B unexplained: {stream}; messages counted {messages}; "
        f"handshake {each.handshake} B, heartbeats {each.heartbeats}"
    )
