"""The tiles at the top of a page: a result in a few figures, each as the summary prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.shared import Shared
from prisam_p2p.report.cells import count_of_bytes, figure, mib, rand_index
from prisam_p2p.report.checks import check_lines
from prisam_p2p.report.closure import closure_lines
from prisam_p2p.report.faults import fault_lines
from prisam_p2p.report.lost import COMPLETED, FAILED
from prisam_p2p.report.total_lines import (
    accuracy_line,
    baseline_lines,
    control_run_lines,
    gain_over,
    group_lines,
    wire_line,
)
from prisam_p2p.report.verdicts import FALSE, NOT_JUDGED, TRUE, UNKNOWN

GOOD, BAD, OPEN, PLAIN = "good", "bad", "unknown", "plain"
"""Tones of a tile."""

NONE = "-"
AT_THE_END = "known when the run is over"

Tile = tuple[str, int, str, str, str, str, str]
"""Id, place, label, value, detail, tone, and the view that has the evidence."""

Summary = Mapping[str, Any]


def concluded_tiles(summary: Summary | None, baseline: Summary | None) -> list[Tile]:
    """Return the tiles of a run that is over, or that nobody follows.

    Args:
        summary: None where the journals do not allow one.
        baseline: the summary of the baseline's run.
    """
    if summary is None:
        why = "the run folder does not allow a summary"
        return [_tile(name, NONE, why, OPEN) for name, *_ in _ALL]
    return [
        _status(summary),
        _accuracy(summary),
        _gain(summary, baseline),
        _groups(summary),
        _tile("wire", mib(_wire_bytes(summary)), wire_line(summary), PLAIN),
        _unexplained(summary),
        _checks(summary),
        _faults(summary),
    ]


def running_tiles(shared: Shared, ended: Line | None) -> list[Tile]:
    """Return the tiles of a run that goes on: means over the peers so far.

    Args:
        ended: the launcher's last line, once it is there.
    """
    peers = shared.tables["peers"]
    rounds = [peers.get(key, "rounds_done") for key in peers.ascending()]
    through = f"round {min(rounds, default=0)}/{shared.plan.rounds}"
    status = _text(ended["status"]) if ended else "running"
    latest = shared.latest_accuracies.values()
    mean = fmean(latest) if latest else None
    indices = shared.tables["ari"].ascending()
    ari = shared.tables["ari"].get(indices[-1], "ari") if indices else None
    known = {
        "status": (status, through, PLAIN),
        "accuracy": (figure(mean), "mean of the last evaluation after aggregation", PLAIN),
        "ari": (rand_index(ari), "adjusted Rand index of the latest round", PLAIN),
    }
    return [_tile(name, *known.get(name, (NONE, AT_THE_END, OPEN))) for name, *_ in _ALL]


_ALL = (
    ("status", "Status", "timeline"),
    ("accuracy", "Deployed accuracy", "accuracy"),
    ("gain", "Gain over the baseline", "accuracy"),
    ("ari", "Groups found (ARI)", "masks"),
    ("wire", "On the wire, MiB", "bytes"),
    ("unexplained", "Unexplained bytes", "closure"),
    ("checks", "Checks", "faults"),
    ("faults", "Faults", "faults"),
)
"""Id, label and view of each tile, in their order."""


def _tile(name: str, value: str, detail: str, tone: str) -> Tile:
    place = [each for each, *_ in _ALL].index(name)
    _, label, view = _ALL[place]
    return name, place, label, value, detail, tone, view


def _status(summary: Summary) -> Tile:
    status = summary["status"]
    tone = GOOD if status == COMPLETED else BAD if status == FAILED else OPEN
    return _tile("status", status, summary["headline"], tone)


def _accuracy(summary: Summary) -> Tile:
    value = summary["accuracy"]["deployed"]
    told = [accuracy_line(summary), *control_run_lines(summary)]
    return _tile("accuracy", figure(value), "; ".join(told), OPEN if value is None else PLAIN)


def _gain(summary: Summary, baseline: Summary | None) -> Tile:
    if baseline is None:
        return _tile("gain", NONE, "the run had no baseline", PLAIN)
    value = gain_over(summary, baseline)
    tone = OPEN if value == NONE else BAD if value.startswith("-") else GOOD
    return _tile("gain", value, baseline_lines(summary, baseline)[0], tone)


def _groups(summary: Summary) -> Tile:
    nothing = "the data have no groups, or no peer clustered"
    value = rand_index(summary["grouping"]["ari"])
    return _tile("ari", value, next(iter(group_lines(summary)), nothing), PLAIN)


def _unexplained(summary: Summary) -> Tile:
    closed = summary["closure"]
    words = "; ".join(line.strip() for line in closure_lines(closed))
    if closed["verdict"] == NOT_JUDGED:
        return _tile("unexplained", NOT_JUDGED, words, OPEN)
    tone = GOOD if closed["verdict"] == TRUE else BAD
    return _tile("unexplained", count_of_bytes(closed["unexplained_bytes"]), words, tone)


def _checks(summary: Summary) -> Tile:
    return _verdicts("checks", "hold", summary["checks"], check_lines(summary["checks"]))


def _faults(summary: Summary) -> Tile:
    if not summary["faults"]:
        return _tile("faults", "none", "no fault was planned", PLAIN)
    return _verdicts("faults", "true", summary["faults"], fault_lines(summary["faults"]))


def _verdicts(
    name: str, holds: str, entries: Iterable[Mapping[str, Any]], lines: Iterable[str]
) -> Tile:
    """Return the tile of verdicts: how many hold, and how many there are of each other word."""
    words = [each["verdict"] for each in entries]
    told = [f"{words.count(TRUE)} {holds}"]
    told += [f"{n} {each}" for each in (FALSE, UNKNOWN, NOT_JUDGED) if (n := words.count(each))]
    tone = BAD if FALSE in words else OPEN if UNKNOWN in words else GOOD if TRUE in words else OPEN
    return _tile(name, ", ".join(told), "; ".join(line.strip() for line in lines), tone)


def _wire_bytes(summary: Summary) -> int:
    return sum(each["wire"] for each in summary["bytes"].values())


def _text(value: object) -> str:
    return value if isinstance(value, str) else NONE
