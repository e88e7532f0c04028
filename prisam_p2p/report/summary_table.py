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

_WORDS = ("peer", "profile", "group")
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
    rows = [_row(peer, summary["peers"][peer], peer in lost, model, baseline) for peer in peers]
    columns = [
        TableColumn(name, right=name not in _WORDS, keeps=name == "peer") for name in rows[0]
    ]
    print_table(columns, [[*row.values()] for row in rows])
    print_line("")


def _row(
    peer: str,
    result: dict[str, Any],
    is_lost: bool,
    model: dict[str, Any],
    baseline: dict[str, Any] | None,
) -> Row:
    """Return column -> text, what matters most first; shares are of the dense model."""
    accuracy = result["accuracy"]
    row = {"peer": peer, "profile": result["profile"], "rho": f"{result['prune_ratio']:.2f}"}
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
    accuracy = summary["accuracy"]
    lines = [
        "mean accuracy: "
        f"{figure(accuracy['after_aggregation'])} after aggregation, "
        f"{figure(accuracy['after_training'])} after training, "
        f"{figure(accuracy['deployed'])} deployed"
    ]
    if baseline:
        beside = baseline["accuracy"]["deployed"]
        lines.append(
            f"{baseline['algorithm']}: {figure(beside)} deployed; "
            f"gain {gain(accuracy['deployed'], beside)}"
        )
    if summary["twin"] is not None:
        change = gain(accuracy["deployed"], summary["twin"])
        lines.append(
            f"control run (no faults): {figure(summary['twin'])} deployed; change {change}"
        )
    ari = summary["grouping"]["ari_by_round"]
    if ari:
        lines.append(
            f"groups found (adjusted Rand index): {ari[0]:.2f} in round 0, {ari[-1]:.2f} last"
        )
    sent = ", ".join(
        f"{kind} {c['wire']:,} B" + (f" ({c['messages']:,} messages)" if c["messages"] else "")
        for kind, c in summary["bytes"].items()
    )
    wire = [f"on the wire: {sent}", *closure_lines(summary["closure"])]
    left = left_out_lines(summary["left_out"])
    checks, faults = check_lines(summary["checks"]), fault_lines(summary["faults"])
    return [*lines, *wire, *left, *rejection_lines(summary["rejected"]), *checks, *faults]
