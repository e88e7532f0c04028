"""A run's result as a table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_MIB = 2**20


def print_summary(
    console: Console,
    summary: dict[str, Any],
    model: dict[str, Any],
    baseline: dict[str, Any] | None,
) -> None:
    """Print a row for every peer and what they come to together.

    Args:
        model: the plan's dense model.
        baseline: summary of the run beside it, if there was one.
    """
    table = Table(title=_title(summary), title_justify="left")
    columns = ["peer", "profile", "rho", "params", "of dense", "MACs", "of dense", "aggregated"]
    columns += ["trained", "deployed"] + (["local", "gain"] if baseline else [])
    columns += ["group", "in MiB", "out MiB"]
    for name in columns:
        table.add_column(name, justify="left" if name in ("peer", "profile", "group") else "right")
    for peer, result in summary["peers"].items():
        beside = baseline["peers"][peer]["accuracy"]["deployed"] if baseline else None
        table.add_row(*_row(peer, result, model, baseline is not None, beside))
    console.print(table)
    for line in _totals(summary, baseline):
        console.print(Text(line))


def _title(summary: dict[str, Any]) -> str:
    duration = summary["duration_s"]
    took = f" in {duration:.1f} s" if duration is not None else ""
    return (
        f"{summary['algorithm']} on {summary['topology']}: {summary['status']}, "
        f"{summary['rounds_done']} of {summary['rounds']} rounds{took}"
    )


def _row(
    peer: str, result: dict[str, Any], model: dict[str, Any], compare: bool, beside: float | None
) -> list[str]:
    accuracy = result["accuracy"]
    row = [
        peer,
        result["profile"],
        f"{result['prune_ratio']:.2f}",
        _count(result["params"]),
        _percent(result["params"], model["parameters"]),
        _count(result["macs"]),
        _percent(result["macs"], model["macs"]),
        _figure(accuracy["after_aggregation"]),
        _figure(accuracy["after_training"]),
        _figure(accuracy["deployed"]),
    ]
    if compare:
        row += [_figure(beside), _gain(accuracy["deployed"], beside)]
    sent = {
        way: sum(c["payload"] + c["header"] for c in result["bytes"][way].values())
        for way in ("in", "out")
    }
    others = len(result["group"]) - 1
    group = "alone" if others == 0 else f"{result['group'][0]} +{others}"
    state = "" if result["state"] == "completed" else f" ({result['state']})"
    return [*row, group + state, f"{sent['in'] / _MIB:.2f}", f"{sent['out'] / _MIB:.2f}"]


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
    ari = summary["grouping"]["ari_by_round"]
    if ari:
        lines.append(
            f"groups found (adjusted Rand index): {ari[0]:.2f} in round 0, {ari[-1]:.2f} last"
        )
    sent = ", ".join(
        f"{kind} {c['payload'] or c['header']:,} B in {c['messages']:,} messages"
        for kind, c in summary["bytes"].items()
    )
    return [*lines, f"sent: {sent}"]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _gain(value: float | None, beside: float | None) -> str:
    return "-" if value is None or beside is None else f"{value - beside:+.3f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(part: int | None, whole: int) -> str:
    return "-" if part is None else f"{part / whole:.0%}"
