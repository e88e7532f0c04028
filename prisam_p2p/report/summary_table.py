"""A run's result for people: its headline, a row for every peer or a digest, and the totals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.report.cells import figure, gain, mib, share
from prisam_p2p.report.checks import check_lines
from prisam_p2p.report.closure import closure_lines
from prisam_p2p.report.digest import (
    MOST_ROWS,
    best_and_worst,
    print_lost,
    print_parts,
    sent_bytes,
)
from prisam_p2p.report.exclusions import left_out_lines, rejection_lines
from prisam_p2p.report.faults import fault_lines
from prisam_p2p.report.headline import NAMED
from prisam_p2p.report.host_summary import host_lines
from prisam_p2p.report.total_lines import (
    accuracy_line,
    baseline_lines,
    control_run_lines,
    group_lines,
    wire_line,
)

_WORDS = ("peer", "profile", "host", "group")
"""Columns of words; the others hold numbers."""

Row = dict[str, str]


def print_summary(
    summary: dict[str, Any],
    model: dict[str, Any],
    baseline: dict[str, Any] | None,
    all_rows: bool = False,
) -> None:
    """Print a row for every peer, and the totals.

    Args:
        model: the plan's dense model.
        baseline: summary of the baseline's run, if there was one.
        all_rows: print a row for every peer of a run of more than MOST_ROWS, too.
    """
    print_line(summary["headline"])
    print_line("")
    if all_rows or len(summary["peers"]) <= MOST_ROWS:
        _print_peers(summary["peers"], summary, model, baseline)
    else:
        _print_digest(summary, model, baseline)
    if len(summary["lost"]) > NAMED:
        print_lost(summary["lost"], summary["rounds"])
        print_line("")
    for line in _totals(summary, baseline):
        print_line(line)


def _print_digest(
    summary: dict[str, Any], model: dict[str, Any], baseline: dict[str, Any] | None
) -> None:
    best, worst = best_and_worst(summary["peers"])
    for title, peers in (("best", best), ("worst", worst)):
        if peers:
            print_line(f"{title} {len(peers)} of {len(summary['peers'])} peers:")
            _print_peers(peers, summary, model, baseline)
    print_parts(summary, baseline)
    print_line("prisam summary RUN --all prints a row for every peer")
    print_line("")


def _print_peers(
    peers: Iterable[str],
    summary: dict[str, Any],
    model: dict[str, Any],
    baseline: dict[str, Any] | None,
) -> None:
    lost = {each["peer"] for each in summary["lost"]}
    told = summary["peers"]
    has_hosts = bool(summary.get("hosts"))
    rows = [_row(peer, told[peer], peer in lost, has_hosts, model, baseline) for peer in peers]
    columns = [
        TableColumn(name, right=name not in _WORDS, keeps=name == "peer") for name in rows[0]
    ]
    print_table(columns, [[*row.values()] for row in rows])
    print_line("")


def _row(
    peer: str,
    result: dict[str, Any],
    is_lost: bool,
    has_hosts: bool,
    model: dict[str, Any],
    baseline: dict[str, Any] | None,
) -> Row:
    """Return column -> text, what matters most first; shares are of the dense model."""
    accuracy = result["accuracy"]
    row = {"peer": peer, "profile": result["profile"]}
    row |= {"host": result["host"]} if has_hosts else {}
    row["rho"] = f"{result['prune_ratio']:.2f}"
    row["deployed"] = figure(accuracy["deployed"])
    if baseline:
        beside = baseline["peers"][peer]["accuracy"]["deployed"]
        row[baseline["algorithm"]] = figure(beside)
        row["gain"] = gain(accuracy["deployed"], beside)
    row["group"] = _group(result, is_lost)
    row |= {f"{way} MiB": mib(sent_bytes(result, way)) for way in ("in", "out")}
    row["aggregated"] = figure(accuracy["after_aggregation"])
    row["trained"] = figure(accuracy["after_training"])
    row["params"] = share(result["params"], model["parameters"])
    row["MACs"] = share(result["macs"], model["macs"])
    return row


def _group(result: dict[str, Any], is_lost: bool) -> str:
    """Return the first of a peer's group, the number of the others; how it ended, if badly."""
    others = len(result["group"]) - 1
    group = "alone" if others == 0 else f"{result['group'][0]} +{others}"
    if is_lost:
        return f"{group} (lost)"
    return group if result["state"] == "completed" else f"{group} ({result['state']})"


def _totals(summary: dict[str, Any], baseline: dict[str, Any] | None) -> list[str]:
    return [
        accuracy_line(summary),
        *baseline_lines(summary, baseline),
        *control_run_lines(summary),
        *group_lines(summary),
        wire_line(summary),
        *host_lines(summary),
        *closure_lines(summary["closure"]),
        *left_out_lines(summary["left_out"]),
        *rejection_lines(summary["rejected"]),
        *check_lines(summary["checks"]),
        *fault_lines(summary["faults"]),
    ]
