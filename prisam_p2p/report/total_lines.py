"""The totals of a run in words: lines that the summary prints, and that the page of a run shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prisam_p2p.report.cells import count_of_bytes, figure, gain, rand_index

Summary = Mapping[str, Any]


def accuracy_line(summary: Summary) -> str:
    """Return the mean accuracies over the peers."""
    accuracy = summary["accuracy"]
    return (
        "mean accuracy: "
        f"{figure(accuracy['after_aggregation'])} after aggregation, "
        f"{figure(accuracy['after_training'])} after training, "
        f"{figure(accuracy['deployed'])} deployed"
    )


def baseline_lines(summary: Summary, baseline: Summary | None) -> list[str]:
    """Return the baseline's mean accuracy and the gain over it; no line without a baseline."""
    if not baseline:
        return []
    deployed = figure(baseline["accuracy"]["deployed"])
    return [f"{baseline['algorithm']}: {deployed} deployed; gain {gain_over(summary, baseline)}"]


def gain_over(summary: Summary, baseline: Summary) -> str:
    """Return by how much more accurate the deployed models are than a baseline's."""
    return gain(summary["accuracy"]["deployed"], baseline["accuracy"]["deployed"])


def control_run_lines(summary: Summary) -> list[str]:
    """Return the accuracy of the control run, and the change to it; no line without one."""
    if summary["twin"] is None:
        return []
    change = gain(summary["accuracy"]["deployed"], summary["twin"])
    return [f"control run (no faults): {figure(summary['twin'])} deployed; change {change}"]


def group_lines(summary: Summary) -> list[str]:
    """Return how well groups were found; no line where there are none to be found."""
    ari = summary["grouping"]["ari_by_round"]
    if not ari:
        return []
    first, last = rand_index(ari[0]), rand_index(ari[-1])
    return [f"groups found (adjusted Rand index): {first} in round 0, {last} last"]


def wire_line(summary: Summary) -> str:
    """Return the bytes on the wire by kind."""
    sent = ", ".join(
        f"{kind} {count_of_bytes(c['wire'])}"
        + (f" ({c['messages']:,} messages)" if c["messages"] else "")
        for kind, c in summary["bytes"].items()
    )
    return f"on the wire: {sent}"
