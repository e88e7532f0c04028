"""A run's result as a table for people."""

from __future__ import annotations

from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
from prisam_p2p.report.checks import check_lines
from prisam_p2p.report.closure import closure_lines
from prisam_p2p.report.exclusions import left_out_lines, rejection_lines
from prisam_p2p.report.faults import fault_lines

_MIB = 2**20
_WORDS = ("profile", "group")
"""Columns of words; the others hold numbers."""

Row = dict[str, str]


def print_summary(
    summary: dict[str, Any], model: dict[str, Any], baseline: dict[str, Any] | None
) -> None:
    """Print a row for every peer, and the totals.

    Args:
        model: the plan's dense model.
        baseline: summary of the baseline's run, if there was one.
    """
    print_line(_title(summary))
    print_line("")
    rows = [_row(peer, result, model, baseline) for peer, result in summary["peers"].items()]
    columns = [
        TableColumn(name, right=name not in ("peer", *_WORDS), keeps=name == "peer")
        for name in rows[0]
    ]
    print_table(columns, [[*row.values()] for row in rows])
    print_line("")
    for line in _totals(summary, baseline):
        print_line(line)


def _title(summary: dict[str, Any]) -> str:
    duration = summary["duration_s"]
    took = f" in {duration:.1f} s" if duration is not None else ""
    return (
        f"{summary['algorithm']} on {summary['topology']}: {summary['status']}, "
        f"{summary['rounds_done']} of {summary['rounds']} rounds{took}"
    )


def _row(
    peer: str, result: dict[str, Any], model: dict[str, Any], baseline: dict[str, Any] | None
) -> Row:
    """Return column -> text, what matters most first; shares are of the dense model."""
    accuracy = result["accuracy"]
    row = {"peer": peer, "profile": result["profile"], "rho": f"{result['prune_ratio']:.2f}"}
    row["deployed"] = _figure(accuracy["deployed"])
    if baseline:
        beside = baseline["peers"][peer]["accuracy"]["deployed"]
        row[baseline["algorithm"]] = _figure(beside)
        row["gain"] = _gain(accuracy["deployed"], beside)
    others = len(result["group"]) - 1
    state = "" if result["state"] == "completed" else f" ({result['state']})"
    row["group"] = ("alone" if others == 0 else f"{result['group'][0]} +{others}") + state
    for way in ("in", "out"):
        sent = sum(c["payload"] + c["header"] for c in result["bytes"][way].values())
        row[f"{way} MiB"] = f"{sent / _MIB:.2f}"
    row["aggregated"] = _figure(accuracy["after_aggregation"])
    row["trained"] = _figure(accuracy["after_training"])
    row["params"] = f"{_count(result['params'])} {_percent(result['params'], model['parameters'])}"
    row["MACs"] = f"{_count(result['macs'])} {_percent(result['macs'], model['macs'])}"
    return row


def _totals(summary: dict[str, Any], baseline: dict[str, Any] | None) -> list[str]:
    accuracy = summary["accuracy"]
    lines = [
        "mean accuracy: "
        f"{_figure(accuracy['after_aggregation'])} after aggregation, "
        f"{_figure(accuracy['after_training'])} after training, "
        f"{_figure(accuracy['deployed'])} deployed"
    ]
    if baseline:
        beside = baseline["accuracy"]["deployed"]
        lines.append(
            f"{baseline['algorithm']}: {_figure(beside)} deployed; "
            f"gain {_gain(accuracy['deployed'], beside)}"
        )
    if summary["twin"] is not None:
        gain = _gain(accuracy["deployed"], summary["twin"])
        lines.append(f"control run (no faults): {_figure(summary['twin'])} deployed; change {gain}")
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


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _gain(value: float | None, beside: float | None) -> str:
    return "-" if value is None or beside is None else f"{value - beside:+.3f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(part: int | None, whole: int) -> str:
    return "-" if part is None else f"{part / whole:.0%}"
