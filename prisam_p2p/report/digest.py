"""A run of many peers in few rows: best, worst, by data group, by device profile, lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.report.cells import figure, gain, mib
from prisam_p2p.report.headline import where

MOST_ROWS = 40
"""Runs of more peers are printed as a digest."""

ENDS = 3
"""Peers that are listed as best, and as worst."""

Results = Mapping[str, Mapping[str, Any]]
"""Peer -> its result, as in summary.json."""


def best_and_worst(peers: Results) -> tuple[list[str], list[str]]:
    """Return the peers with the highest and the lowest deployed accuracy, best and worst first.

    Peers that deployed nothing are left out; of equal ones, the names decide.
    """
    known = {p: x["accuracy"]["deployed"] for p, x in peers.items()}
    ranked = sorted((p for p in known if known[p] is not None), key=lambda p: (-known[p], p))
    return ranked[:ENDS], ranked[ENDS:][-ENDS:][::-1]


def print_parts(summary: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> None:
    """Print a row for each data group, for each device profile, and for each host if any."""
    peers = summary["peers"]
    if any(each["data_group"] is not None for each in peers.values()):
        _print_by("data group", lambda each: each["data_group"], summary, baseline)
    _print_by("profile", lambda each: each["profile"], summary, baseline)
    if summary.get("hosts"):
        _print_by("host", lambda each: each["host"], summary, baseline)


def print_lost(lost: Iterable[Mapping[str, Any]], rounds: int) -> None:
    """Print a row for each lost peer of a run of `rounds`."""
    columns = [
        TableColumn("lost", keeps=True),
        TableColumn("when"),
        TableColumn("why", wraps=True),
        TableColumn("planned"),
    ]
    print_table(
        columns,
        [[x["peer"], where(x, rounds), x["reason"], "yes" if x["planned"] else "no"] for x in lost],
    )


def _print_by(
    title: str,
    part_of: Callable[[Mapping[str, Any]], Any],
    summary: Mapping[str, Any],
    baseline: Mapping[str, Any] | None,
) -> None:
    peers, lost = summary["peers"], {each["peer"] for each in summary["lost"]}
    parts: dict[Any, list[str]] = {}
    for peer, each in peers.items():
        parts.setdefault(part_of(each), []).append(peer)
    rows = []
    for part in sorted(parts, key=lambda each: (each is None, each)):
        members = parts[part]
        row = {
            title: str(part),
            "peers": str(len(members)),
            "lost": str(len(lost.intersection(members))),
        }
        rows.append(row | _figures(members, peers, baseline))
    columns = [
        TableColumn(name, right=name not in ("profile", "host"), keeps=name == title)
        for name in rows[0]
    ]
    print_line(f"by {title}, means over its peers:")
    print_table(columns, [[*row.values()] for row in rows])
    print_line("")


def _figures(
    members: list[str], peers: Results, baseline: Mapping[str, Any] | None
) -> dict[str, str]:
    known, mean = _deployed(members, peers), _mean_deployed(members, peers)
    row = {"deployed": figure(mean)}
    if baseline:
        other = _mean_deployed(members, baseline["peers"])
        row |= {baseline["algorithm"]: figure(other), "gain": gain(mean, other)}
    row |= {
        "lowest": figure(min(known, default=None)),
        "highest": figure(max(known, default=None)),
    }
    for way in ("in", "out"):
        row[f"{way} MiB"] = mib(fmean(sent_bytes(peers[peer], way) for peer in members))
    return row


def _deployed(members: list[str], peers: Results) -> list[float]:
    found = [peers[peer]["accuracy"]["deployed"] for peer in members]
    return [each for each in found if each is not None]


def _mean_deployed(members: list[str], peers: Results) -> float | None:
    known = _deployed(members, peers)
    return fmean(known) if known else None


def sent_bytes(result: Mapping[str, Any], way: str) -> int:
    """Return the payload and header bytes that a peer got ("in") or gave ("out")."""
    return sum(c["payload"] + c["header"] for c in result["bytes"][way].values())
